//! The container of iden3's files: magic, version, then typed sections with their lengths.

use crate::error::{Error, Result};

/// Reads little-endian numbers from the front of a slice; refuses to read past its end.
pub struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Reader { what, bytes }
    }
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        if n > self.bytes.len() {
            return Err(Error::format(self.what, format!("truncated: {} bytes wanted, {} left", n, self.bytes.len())));
        }
        let (head, tail) = self.bytes.split_at(n);
        self.bytes = tail;
        Ok(head)
    }
    pub fn u32(&mut self) -> Result<u32> {
        let mut word = [0u8; 4];
        word.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(word))
    }
    pub fn u64(&mut self) -> Result<u64> {
        let mut word = [0u8; 8];
        word.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(word))
    }
    pub fn left(&self) -> usize {
        self.bytes.len()
    }
    pub fn end(&self) -> Result<()> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Error::format(self.what, format!("{} bytes too many", self.bytes.len())))
        }
    }
}

/// The sections of a file, each type at most once.
pub struct Sections<'a> {
    what: &'static str,
    found: Vec<(u32, &'a [u8])>,
}

impl<'a> Sections<'a> {
    /// # Errors
    /// Wrong magic or version, a section that passes the end, a section type that occurs twice, bytes after the last.
    pub fn parse(what: &'static str, bytes: &'a [u8], magic: &[u8; 4], versions: &[u32]) -> Result<Self> {
        let mut reader = Reader::new(what, bytes);
        if reader.take(4)? != magic {
            return Err(Error::format(what, "wrong magic bytes"));
        }
        let version = reader.u32()?;
        if !versions.contains(&version) {
            return Err(Error::format(what, format!("version {version}, expected one of {versions:?}")));
        }
        let count = reader.u32()?;
        let mut found: Vec<(u32, &[u8])> = Vec::new();
        for _ in 0..count {
            let kind = reader.u32()?;
            let length = reader.u64()?;
            let length = usize::try_from(length).map_err(|_| Error::format(what, "section too long"))?;
            if found.iter().any(|(k, _)| *k == kind) {
                return Err(Error::format(what, format!("section {kind} occurs twice")));
            }
            let body = reader.take(length)?;
            found.push((kind, body));
        }
        reader.end()?;
        Ok(Sections { what, found })
    }

    pub fn optional(&self, kind: u32) -> Option<&'a [u8]> {
        self.found.iter().find(|(k, _)| *k == kind).map(|(_, body)| *body)
    }

    pub fn get(&self, kind: u32) -> Result<&'a [u8]> {
        self.optional(kind).ok_or_else(|| Error::format(self.what, format!("section {kind} is missing")))
    }

    pub fn reader(&self, kind: u32) -> Result<Reader<'a>> {
        Ok(Reader::new(self.what, self.get(kind)?))
    }

    /// A section that must hold exactly `count` records of `size` bytes.
    pub fn records(&self, kind: u32, count: usize, size: usize) -> Result<&'a [u8]> {
        let body = self.get(kind)?;
        if Some(body.len()) != count.checked_mul(size) {
            let reason = format!("section {kind} has {} bytes, expected {count} records of {size}", body.len());
            return Err(Error::format(self.what, reason));
        }
        Ok(body)
    }
}

pub fn write_file(magic: &[u8; 4], version: u32, sections: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let size: usize = sections.iter().map(|(_, body)| body.len() + 12).sum();
    let mut out = Vec::with_capacity(12 + size);
    out.extend_from_slice(magic);
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    for (kind, body) in sections {
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&(body.len() as u64).to_le_bytes());
        out.extend_from_slice(body);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_refused;

    fn file() -> Vec<u8> {
        write_file(b"test", 1, &[(1, vec![1, 2, 3, 4]), (7, vec![])])
    }

    fn parse(bytes: &[u8]) -> Result<Sections<'_>> {
        Sections::parse("test", bytes, b"test", &[1])
    }

    #[test]
    fn sections_are_read_as_written() {
        let bytes = file();
        let sections = parse(&bytes).unwrap();
        assert_eq!(sections.get(1).unwrap(), [1, 2, 3, 4]);
        assert_eq!(sections.optional(7), Some(&[][..]));
        assert_eq!(sections.records(1, 2, 2).unwrap().len(), 4);
        assert_eq!(sections.reader(1).unwrap().u32().unwrap(), 0x0403_0201);
    }

    #[test]
    fn what_is_not_a_whole_file_is_refused() {
        let bytes = file();
        for end in 0..bytes.len() {
            assert_refused(parse(&bytes[..end]), "truncated");
        }
        assert_refused(parse(&[&bytes[..], &[0]].concat()), "1 bytes too many");
        assert_refused(parse(&write_file(b"tes_", 1, &[])), "wrong magic bytes");
        assert_refused(parse(&write_file(b"test", 2, &[])), "version 2, expected one of [1]");
        assert_refused(parse(&write_file(b"test", 1, &[(3, vec![]), (3, vec![])])), "section 3 occurs twice");
        let mut long = bytes;
        long[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_refused(parse(&long), "truncated");
    }

    #[test]
    fn sections_of_another_size_are_refused() {
        let bytes = file();
        let sections = parse(&bytes).unwrap();
        assert_refused(sections.get(2), "section 2 is missing");
        assert_refused(sections.records(1, 3, 2), "section 1 has 4 bytes, expected 3 records of 2");
        assert_refused(sections.records(1, usize::MAX, 2), "section 1 has 4 bytes");
        let mut reader = sections.reader(1).unwrap();
        assert_refused(reader.u64(), "truncated: 8 bytes wanted, 4 left");
        reader.take(3).unwrap();
        assert_refused(reader.end(), "1 bytes too many");
    }
}
