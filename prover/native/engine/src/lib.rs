//! The Python face of the batch margin, `zkmargin.engine._native`, and nothing else.

mod buffers;
mod fields;

use pyo3::prelude::*;

#[pymodule]
#[pyo3(name = "_native")]
mod _native_engine {
    use crate::buffers::{read, write};
    use crate::fields::ModelFields;
    use pyo3::buffer::PyBuffer;
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use zkmargin_margin::{Model, Path};

    /// One policy, ready for blocks of accounts.
    #[pyclass(frozen, module = "zkmargin.engine._native")]
    struct MarginModel {
        inner: Model,
    }

    /// Positions, row-major, in one of three types.
    #[derive(FromPyObject)]
    enum Lots {
        Doubles(PyBuffer<f64>),
        Ints(PyBuffer<i32>),
        Longs(PyBuffer<i64>),
    }

    #[pymethods]
    impl MarginModel {
        /// From the fields of a `BatchModel`.
        #[new]
        fn new(model: ModelFields) -> PyResult<Self> {
            let inner = model.try_into().and_then(Model::new).map_err(PyValueError::new_err)?;
            Ok(MarginModel { inner })
        }

        /// Writes (`FIELDS`, accounts) results; other threads go on meanwhile and leave the three arrays alone.
        fn evaluate(
            &self,
            py: Python<'_>,
            lots: Lots,
            cash: PyBuffer<f64>,
            mut results: PyBuffer<f64>,
            path: &str,
        ) -> PyResult<()> {
            let path = Path::detect().into_iter().find(|own| own.name() == path);
            let path = path.ok_or_else(|| PyValueError::new_err("path is none of PATHS"))?;
            let (cash, results) = (read(&cash)?, write(&mut results)?);
            let done = match &lots {
                Lots::Doubles(lots) => {
                    let lots = read(lots)?;
                    py.detach(|| self.inner.evaluate(path, lots, cash, results))
                }
                Lots::Ints(lots) => {
                    let lots = read(lots)?;
                    py.detach(|| self.inner.evaluate(path, lots, cash, results))
                }
                Lots::Longs(lots) => {
                    let lots = read(lots)?;
                    py.detach(|| self.inner.evaluate(path, lots, cash, results))
                }
            };
            done.map_err(PyValueError::new_err)
        }
    }

    #[pymodule_init]
    fn init(m: &Bound<'_, PyModule>) -> PyResult<()> {
        m.add("PATHS", Path::detect().iter().map(|path| path.name()).collect::<Vec<_>>())?;
        m.add("FIELDS", zkmargin_margin::FIELDS)
    }
}
