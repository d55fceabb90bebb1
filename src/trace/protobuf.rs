//! Messages of Protocol Buffers, as far as a trace needs them: numbers, texts, and messages in messages.
//!
//! A library for this would make types from a schema, at the price of its build, for what takes four functions.

#![forbid(unsafe_code)]

/// A message, encoded.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

/// How a field's value is encoded.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;

impl Message {
    pub(super) fn number(mut self, field: u64, value: u64) -> Self {
        self.put_key(field, VARINT);
        self.put_varint(value);
        self
    }

    pub(super) fn fixed(mut self, field: u64, value: u64) -> Self {
        self.put_key(field, FIXED_64);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub(super) fn message(self, field: u64, Message(value): &Message) -> Self {
        self.bytes(field, value)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.put_key(field, LENGTH);
        self.put_varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn put_key(&mut self, field: u64, wire_type: u64) {
        self.put_varint(field << 3 | wire_type);
    }

    /// Seven bits a byte, the lowest first; all but the last have the upper bit set.
    fn put_varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded_as_the_format_says() {
        let inner = Message::default().text(2, "gorun");
        let outer = Message::default().number(1, 150).message(3, &inner).fixed(4, 1);
        assert_eq!(
            outer.as_bytes(),
            b"\x08\x96\x01\x1a\x07\x12\x05gorun\x21\x01\x00\x00\x00\x00\x00\x00\x00",
        );
        assert_eq!(Message::default().number(1, u64::MAX).as_bytes().len(), 11);
    }
}
