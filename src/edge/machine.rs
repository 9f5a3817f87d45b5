//! Whether a program is one that the edge can run: 64-bit Linux on x86-64.

/// Offset of the machine in an ELF header, and x86-64's number there.
const MACHINE: usize = 18;
const X86_64: [u8; 2] = [62, 0];
/// Programs of other systems: Windows, macOS (both byte orders, and several machines in one file).
const OTHERS: &[&[u8]] = &[
    b"MZ",
    &[0xcf, 0xfa, 0xed, 0xfe],
    &[0xfe, 0xed, 0xfa, 0xcf],
    &[0xce, 0xfa, 0xed, 0xfe],
    &[0xca, 0xfe, 0xba, 0xbe],
];

/// What the beginning of a file says of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// It is not a program.
    None,
    /// One that the edge runs.
    Edge,
    /// One of another machine or system.
    Other,
}

/// Looks at the beginning of a file.
pub(super) fn of(bytes: &[u8]) -> Machine {
    if bytes.starts_with(b"\x7fELF") {
        // Class 2 is 64 bits, data 1 little endian.
        let fits = bytes.get(4..6) == Some(&[2, 1]) && bytes.get(MACHINE..MACHINE + 2) == Some(&X86_64);
        return if fits { Machine::Edge } else { Machine::Other };
    }
    let other = OTHERS.iter().any(|magic| bytes.starts_with(magic));
    if other { Machine::Other } else { Machine::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(class: u8, machine: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..4].copy_from_slice(b"\x7fELF");
        (bytes[4], bytes[5], bytes[MACHINE]) = (class, 1, machine);
        bytes
    }

    #[test]
    fn programs_of_other_machines_are_told_apart() {
        assert_eq!(of(&elf(2, 62)), Machine::Edge);
        for other in [elf(2, 183), elf(1, 3), b"\x7fELF".to_vec(), b"MZ\x90".to_vec(), vec![0xcf, 0xfa, 0xed, 0xfe, 7]]
        {
            assert_eq!(of(&other), Machine::Other);
        }
        assert_eq!(of(b"import fs from 'node:fs';"), Machine::None);
        assert_eq!(of(b""), Machine::None);
    }
}
