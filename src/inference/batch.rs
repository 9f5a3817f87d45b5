//! A rectangle of token ids: texts of similar length, padded to the longest.

/// Which vectors of a text are wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RequestedVectors {
    /// One for the text: pooled, and through the layers behind that.
    #[default]
    Pooled,
    /// One for each of its tokens, as the graph gives them.
    Tokens,
}

/// Texts as the graph wants them, row by row.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Texts.
    pub rows: usize,
    /// Tokens of the longest.
    pub width: usize,
    /// Token ids, rows x width; the padding id after the end.
    pub ids: Vec<i64>,
    /// 1 for a token, 0 for padding.
    pub mask: Vec<i64>,
    /// Segment of each token: 0 throughout.
    pub types: Vec<i64>,
    /// Tokens of each row.
    pub lengths: Vec<usize>,
    /// Tokens at the beginning of each row that belong to a prompt: 0 after [`fill`](Self::fill).
    pub skips: Vec<usize>,
    /// What is wanted of each row: the pooled vector after [`fill`](Self::fill).
    pub wanted: Vec<RequestedVectors>,
}

impl Batch {
    /// Fills it with these texts; its memory is used again.
    pub fn fill<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a [u32]> + Clone, pad: u32) {
        self.rows = texts.len();
        self.width = texts.clone().map(<[u32]>::len).max().unwrap_or(0);
        let cells = self.rows * self.width;
        self.ids.clear();
        self.mask.clear();
        self.lengths.clear();
        for text in texts {
            self.ids.extend(text.iter().map(|id| i64::from(*id)));
            self.mask.resize(self.ids.len(), 1);
            let end = (self.lengths.len() + 1) * self.width;
            self.ids.resize(end, i64::from(pad));
            self.mask.resize(end, 0);
            self.lengths.push(text.len());
        }
        self.skips.clear();
        self.skips.resize(self.rows, 0);
        self.wanted.clear();
        self.wanted.resize(self.rows, RequestedVectors::Pooled);
        self.types.clear();
        self.types.resize(cells, 0);
    }

    /// Tokens of its texts.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;

    #[test]
    fn rows_are_padded_to_the_longest() {
        let mut batch = Batch::default();
        let texts: [&[u32]; 2] = [&[1, 2, 3], &[4]];
        batch.fill(texts.into_iter(), 9);
        assert_eq!((batch.rows, batch.width, batch.tokens()), (2, 3, 4));
        assert_eq!(batch.ids, [1, 2, 3, 4, 9, 9]);
        assert_eq!(batch.mask, [1, 1, 1, 1, 0, 0]);
        assert_eq!(batch.types, [0; 6]);
        batch.fill([&[7_u32][..]].into_iter(), 0);
        assert_eq!((batch.ids.as_slice(), batch.mask.as_slice()), (&[7_i64][..], &[1_i64][..]));
    }
}
