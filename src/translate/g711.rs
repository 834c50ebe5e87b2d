//! G.711: mu-law and A-law codes to and from 16-bit linear samples, exactly as ITU-T G.711 and its
//! reference software (G.191) define them. Knows one sample at a time; streams and rates are elsewhere.

/// The linear value of a mu-law code, -32124 to 32124; always a multiple of 4.
#[inline]
pub fn mulaw_decode(code: u8) -> i16 {
    MULAW[usize::from(code)]
}

/// The linear value of an A-law code, -32256 to 32256; always an odd multiple of 8.
#[inline]
pub fn alaw_decode(code: u8) -> i16 {
    ALAW[usize::from(code)]
}

/// The mu-law code of a linear sample. Zero is 0xFF, the positive one of the two codes for zero.
#[inline]
pub fn mulaw_encode(sample: i16) -> u8 {
    let magnitude = (i32::from(magnitude(sample) >> 2) + MULAW_BIAS).min(MULAW_LIMIT);
    // Exponent and first four bits of the mantissa are segment and step; no branch, and no count of leading zeros.
    let code = ((magnitude as f32).to_bits() >> 19) - MULAW_FLOAT_BIAS;
    // G.711 inverts every bit on the line, so that silence is not a row of zeros.
    !(sign(sample) | code as u8)
}

/// The A-law code of a linear sample. Zero is 0xD5; there is no code for zero itself, this one is worth 8.
#[inline]
pub fn alaw_encode(sample: i16) -> u8 {
    let magnitude = u32::from(magnitude(sample) >> 4);
    // As for mu-law. The two lowest segments have the same step size: below 16 the magnitude is the code.
    let code =
        if magnitude < 16 { magnitude } else { ((magnitude as f32).to_bits() >> 19) - ALAW_FLOAT_BIAS };
    // G.711 sets the sign bit of positive values and inverts the even bits.
    (sign(sample) ^ 0x80 | code as u8) ^ ALAW_EVEN_BITS
}

/// The magnitude as the reference software takes it: one's complement, so -1 and 0 share an interval and a
/// negative value that sits on a decision value belongs to the interval nearer to zero.
const fn magnitude(sample: i16) -> u16 {
    (sample ^ (sample >> 15)) as u16
}

const fn sign(sample: i16) -> u8 {
    if sample < 0 { 0x80 } else { 0x00 }
}

const fn mulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = !(code as u8);
        let (segment, step) = (bits >> 4 & 0x07, (bits & 0x0F) as i32);
        // The middle of the interval, on the 14-bit scale of the standard, then to 16 bits.
        let value = (((2 * step + 33) << segment) - 33) << 2;
        table[code] = (if bits & 0x80 == 0 { value } else { -value }) as i16;
        code += 1;
    }
    table
}

const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = code as u8 ^ ALAW_EVEN_BITS;
        let (segment, step) = (bits >> 4 & 0x07, (bits & 0x0F) as i32);
        // The middle of the interval, on the 13-bit scale of the standard, then to 16 bits.
        let value = match segment {
            0 => 2 * step + 1,
            _ => (2 * step + 33) << (segment - 1),
        } << 3;
        table[code] = (if bits & 0x80 == 0 { -value } else { value }) as i16;
        code += 1;
    }
    table
}

static MULAW: [i16; 256] = mulaw_table();
static ALAW: [i16; 256] = alaw_table();

const MULAW_BIAS: i32 = 33;
const MULAW_LIMIT: i32 = 0x1FFF;
/// What comes before segment 0 in the exponent of a number of type `f32`, shifted: it begins at 2^5.
const MULAW_FLOAT_BIAS: u32 = (127 + 5) << 4;
/// The same for A-law, where segment 1 begins at 2^4.
const ALAW_FLOAT_BIAS: u32 = (127 + 3) << 4;
const ALAW_EVEN_BITS: u8 = 0x55;

#[cfg(test)]
mod tests {
    use super::*;

    /// Decision values of G.711 table 2a at the segment borders (14-bit scale), with the code of the
    /// interval that begins there.
    const MULAW_BORDERS: [(i32, u8); 11] = [
        (1, 0xFE),
        (3, 0xFD),
        (31, 0xEF),
        (35, 0xEE),
        (95, 0xDF),
        (223, 0xCF),
        (479, 0xBF),
        (991, 0xAF),
        (2015, 0x9F),
        (4063, 0x8F),
        (7903, 0x80),
    ];

    /// Decision values of G.711 table 1a (13-bit scale), with the code of the interval that begins there.
    const ALAW_BORDERS: [(i32, u8); 10] = [
        (2, 0xD4),
        (32, 0xD5 ^ 0x10),
        (62, 0xD5 ^ 0x1F),
        (64, 0xD5 ^ 0x20),
        (128, 0xD5 ^ 0x30),
        (256, 0xD5 ^ 0x40),
        (512, 0xD5 ^ 0x50),
        (1024, 0xD5 ^ 0x60),
        (2048, 0xD5 ^ 0x70),
        (3968, 0xAA),
    ];

    #[test]
    fn mulaw_reference_values() {
        for (code, value) in [
            (0x80, 32124),
            (0x00, -32124),
            (0x81, 31100),
            (0x8F, 16764),
            (0x90, 15996),
            (0xC0, 1884),
            (0xEF, 132),
            (0xF0, 120),
            (0xFE, 8),
            (0x7E, -8),
            (0xFF, 0),
            (0x7F, 0),
        ] {
            assert_eq!(mulaw_decode(code), value, "code {code:#04x}");
        }
        assert_eq!(mulaw_encode(i16::MAX), 0x80);
        assert_eq!(mulaw_encode(i16::MIN), 0x00);
        assert_eq!(mulaw_encode(0), 0xFF);
    }

    #[test]
    fn alaw_reference_values() {
        for (code, value) in [
            (0xAA, 32256),
            (0x2A, -32256),
            (0xAB, 31232),
            (0xA5, 16896),
            (0xD5, 8),
            (0x55, -8),
            (0xD4, 24),
            (0xDA, 248),
            (0xC5, 264),
            (0xF5, 528),
            (0x75, -528),
        ] {
            assert_eq!(alaw_decode(code), value, "code {code:#04x}");
        }
        assert_eq!(alaw_encode(i16::MAX), 0xAA);
        assert_eq!(alaw_encode(i16::MIN), 0x2A);
        assert_eq!(alaw_encode(0), 0xD5);
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for code in 0..=u8::MAX {
            assert_eq!(alaw_encode(alaw_decode(code)), code);
            // The negative zero is the one code that comes back as another: the positive zero.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(mulaw_encode(mulaw_decode(code)), expected);
        }
    }

    #[test]
    fn intervals_begin_at_the_decision_values() {
        for (decision, code) in MULAW_BORDERS {
            let sample = (decision * 4) as i16;
            assert_eq!(mulaw_encode(sample), code, "at {decision}");
            assert_eq!(mulaw_encode(sample - 1), code + 1, "below {decision}");
        }
        for (decision, code) in ALAW_BORDERS {
            let sample = (decision * 8) as i16;
            assert_eq!(alaw_encode(sample), code, "at {decision}");
            assert_eq!(alaw_encode(sample - 1) ^ 0xD5, (code ^ 0xD5) - 1, "below {decision}");
        }
    }

    #[test]
    fn every_sample_is_at_most_half_a_step_off_and_in_order() {
        let mut last = (i16::MIN, i16::MIN);
        for sample in i16::MIN..=i16::MAX {
            let (mulaw, alaw) = (mulaw_encode(sample), alaw_encode(sample));
            let values = (mulaw_decode(mulaw), alaw_decode(alaw));
            assert!(values.0 >= last.0 && values.1 >= last.1, "out of order at {sample}");
            last = values;
            let mulaw_half_step = 4_i32 << (!mulaw >> 4 & 0x07);
            let clipped = i32::from(sample).clamp(-8159 * 4, 8159 * 4);
            assert!((clipped - i32::from(values.0)).abs() <= mulaw_half_step, "mu-law of {sample}");
            let alaw_half_step = 8_i32 << ((alaw ^ 0x55) >> 4 & 0x07).saturating_sub(1);
            assert!((i32::from(sample) - i32::from(values.1)).abs() <= alaw_half_step, "A-law of {sample}");
        }
    }

    #[test]
    fn signs_mirror() {
        for sample in 0..=i16::MAX {
            assert_eq!(mulaw_encode(!sample), mulaw_encode(sample) ^ 0x80);
            assert_eq!(alaw_encode(!sample), alaw_encode(sample) ^ 0x80);
        }
    }
}
