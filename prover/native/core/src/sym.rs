//! circom's .sym: the name of every signal and the wire that carries it.

use crate::error::{Error, Result};
use std::collections::HashMap;

const WHAT: &str = "sym";

/// Names of the signals in the order of their labels; a simplified signal has no wire.
pub struct Symbols {
    pub signals: Vec<(String, Option<u32>)>,
}

/// An array of signals named `prefix[0] .. prefix[n-1]`.
pub struct Array<'a> {
    pub prefix: &'a str,
    pub wires: Vec<Option<u32>>,
}

impl Symbols {
    pub fn parse(text: &str, n_wires: usize) -> Result<Self> {
        let mut signals = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty()) {
            let mut fields = line.splitn(4, ',');
            let (_, wire, _, name) = (fields.next(), fields.next(), fields.next(), fields.next());
            let bad = || Error::format(WHAT, format!("line {} is not label,wire,component,name", number + 1));
            let wire: i64 = wire.and_then(|w| w.parse().ok()).ok_or_else(bad)?;
            let name = name.ok_or_else(bad)?;
            let wire = match wire {
                -1 => None,
                w if w >= 0 && (w as u64) < n_wires as u64 => Some(w as u32),
                w => return Err(Error::format(WHAT, format!("line {}: wire {w} of {n_wires}", number + 1))),
            };
            signals.push((name.to_string(), wire));
        }
        Ok(Symbols { signals })
    }

    /// Wires of each signal of the main component, row-major, by its name without indices.
    pub fn main_signals(&self) -> HashMap<&str, Vec<Option<u32>>> {
        let mut found: HashMap<&str, Vec<Option<u32>>> = HashMap::new();
        for (name, wire) in &self.signals {
            if let Some(rest) = name.strip_prefix("main.").filter(|rest| !rest.contains('.')) {
                let base = rest.split('[').next().unwrap_or(rest);
                found.entry(base).or_default().push(*wire);
            }
        }
        found
    }

    /// Every one-dimensional run `prefix[0], prefix[1], ..` in the order of the file.
    pub fn arrays(&self) -> Vec<Array<'_>> {
        let mut found: Vec<Array> = Vec::new();
        for (name, wire) in &self.signals {
            let Some((prefix, index)) = name.strip_suffix(']').and_then(|n| n.rsplit_once('[')) else { continue };
            let Ok(index) = index.parse::<usize>() else { continue };
            match found.last_mut() {
                Some(last) if last.prefix == prefix && last.wires.len() == index => last.wires.push(*wire),
                _ if index == 0 => found.push(Array { prefix, wires: vec![*wire] }),
                _ => {}
            }
        }
        found
    }

    /// A name for each wire: the first signal that it carries.
    pub fn wire_names(&self, n_wires: usize) -> Vec<&str> {
        let mut names = vec![""; n_wires];
        for (name, wire) in &self.signals {
            if let Some(slot) = wire.and_then(|w| names.get_mut(w as usize)) {
                if slot.is_empty() {
                    *slot = name;
                }
            }
        }
        names
    }
}
