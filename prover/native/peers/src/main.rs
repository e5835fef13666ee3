//! Proofs by other Groth16 provers, of one key and witness in circom's formats.
//!
//! `zkmargin-peers ark|taceo ZKEY WTNS` reads both files, prints a line, and then makes one proof for each line of its
//! standard input: it prints the seconds, and the proof as eight decimals in the order of the EVM's pairing precompile.
//! Nothing here checks the key, the witness or the proof; whoever asked verifies.

use ark_bn254::{Bn254, Fr};
use ark_ff::{PrimeField, UniformRand};
use ark_groth16::r1cs_to_qap::R1CSToQAP;
use ark_groth16::{Groth16, Proof, ProvingKey};
use ark_poly::EvaluationDomain;
use ark_relations::gr1cs::{ConstraintSystemRef, SynthesisError};
use ark_relations::utils::matrix::Matrix;
use ark_std::rand::rngs::OsRng;
use rayon::prelude::*;
use std::error::Error;
use std::fs::File;
use std::io::{stdin, BufRead, BufReader};
use std::time::Instant;
use taceo_circom_types::groth16::Zkey;
use taceo_circom_types::{CheckElement, Witness};
use taceo_groth16::{CircomReduction, ConstraintMatrices};

/// ark-groth16's quotient as snarkjs's keys take it: A B - C at the odd points of the doubled domain.
struct OddPoints;

impl R1CSToQAP for OddPoints {
    fn instance_map_with_evaluation<F: PrimeField, D: EvaluationDomain<F>>(
        _: ConstraintSystemRef<F>,
        _: &F,
    ) -> Result<(Vec<F>, Vec<F>, Vec<F>, F, usize, usize), SynthesisError> {
        Err(SynthesisError::AssignmentMissing) // of a set-up, which is not made here
    }

    fn h_query_scalars<F: PrimeField, D: EvaluationDomain<F>>(
        _: usize,
        _: F,
        _: F,
        _: F,
    ) -> Result<Vec<F>, SynthesisError> {
        Err(SynthesisError::AssignmentMissing)
    }

    fn witness_map_from_matrices<F: PrimeField, D: EvaluationDomain<F>>(
        matrices: &[Matrix<F>],
        inputs: usize,
        constraints: usize,
        wires: &[F],
    ) -> Result<Vec<F>, SynthesisError> {
        let large = SynthesisError::PolynomialDegreeTooLarge;
        let domain = D::new(constraints + inputs).ok_or(large)?;
        let doubled = D::new(2 * domain.size()).ok_or(large)?.group_gen();
        let mut a = multiply(&matrices[0], wires, domain.size());
        let mut b = multiply(&matrices[1], wires, domain.size());
        a[constraints..constraints + inputs].copy_from_slice(&wires[..inputs]);
        let mut c: Vec<F> = a.par_iter().zip(&b).map(|(x, y)| *x * y).collect();
        for values in [&mut a, &mut b, &mut c] {
            domain.ifft_in_place(values);
            D::distribute_powers(values, doubled);
            domain.fft_in_place(values);
        }
        a.par_iter_mut().zip(&b).zip(&c).for_each(|((a, b), c)| *a = *a * b - c);
        Ok(a)
    }
}

/// A matrix times the wires, followed by zeros.
fn multiply<F: PrimeField>(matrix: &Matrix<F>, wires: &[F], size: usize) -> Vec<F> {
    let row = |terms: &Vec<(F, usize)>| terms.iter().map(|(value, wire)| wires[*wire] * value).sum();
    let mut products: Vec<F> = matrix.par_iter().with_min_len(256).map(row).collect();
    products.resize(size, F::zero());
    products
}

/// What a proof is made of.
struct Case {
    key: ProvingKey<Bn254>,
    matrices: ConstraintMatrices<Fr>,
    /// A and B once more, as ark-groth16 takes them.
    sides: [Matrix<Fr>; 2],
    wires: Vec<Fr>,
}

impl Case {
    fn read(zkey: &str, wtns: &str) -> Result<Self, Box<dyn Error>> {
        let zkey = Zkey::<Bn254>::from_reader(BufReader::new(File::open(zkey)?), CheckElement::No)?;
        let wires = Witness::<Fr>::from_reader(BufReader::new(File::open(wtns)?))?.values;
        let (matrices, key): (ConstraintMatrices<Fr>, ProvingKey<Bn254>) = zkey.into();
        let sides = [matrices.a.clone(), matrices.b.clone()];
        Ok(Case { key, matrices, sides, wires })
    }

    fn prove(&self, prover: &str) -> Result<Proof<Bn254>, Box<dyn Error>> {
        let Case { key, matrices, sides, wires } = self;
        let (r, s) = (Fr::rand(&mut OsRng), Fr::rand(&mut OsRng));
        match prover {
            "ark" => Ok(Groth16::<Bn254, OddPoints>::create_proof_with_reduction_and_matrices(
                key,
                r,
                s,
                sides,
                matrices.num_instance_variables,
                matrices.num_constraints,
                wires,
            )?),
            "taceo" => Ok(taceo_groth16::Groth16::<Bn254>::prove::<CircomReduction>(key, r, s, matrices, wires)
                .map_err(|error| error.to_string())?),
            other => Err(format!("no prover {other:?}, allowed are ark and taceo").into()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [prover, zkey, wtns] = &arguments[..] else { return Err("usage: zkmargin-peers ark|taceo ZKEY WTNS".into()) };
    let case = Case::read(zkey, wtns)?;
    println!("ready");
    for line in stdin().lock().lines() {
        line?;
        let start = Instant::now();
        let Proof { a, b, c } = case.prove(prover)?;
        let seconds = start.elapsed().as_secs_f64();
        println!("{seconds} {} {} {} {} {} {} {} {}", a.x, a.y, b.x.c1, b.x.c0, b.y.c1, b.y.c0, c.x, c.y);
    }
    Ok(())
}
