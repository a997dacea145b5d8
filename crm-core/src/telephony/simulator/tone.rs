//! The audio of a simulated recording: a tone as WAV (RIFF, PCM, mono, 8 kHz, 16 bit).

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream;

use crate::telephony::port::CarrierAudio;

const RATE: u32 = 8000;
const PITCH: f64 = 440.0;
const BYTES_PER_SAMPLE: u32 = 2;
const HEADER: u32 = 44;
/// Samples of a piece of the stream.
const PIECE: u32 = 4096;
/// The longest tone.
const LONGEST_SECONDS: u32 = 600;

/// A tone of this length, made while it is read.
pub(super) fn audio(seconds: u32) -> CarrierAudio {
    let samples = seconds.min(LONGEST_SECONDS) * RATE;
    let size = samples * BYTES_PER_SAMPLE;
    let pieces = (0..samples).step_by(PIECE as usize).map(move |first| {
        let mut piece = BytesMut::new();
        for sample in first..samples.min(first + PIECE) {
            piece.put_i16_le(level(sample));
        }
        piece.freeze()
    });
    let all = std::iter::once(header(size)).chain(pieces).map(Ok);
    CarrierAudio {
        content_type: "audio/x-wav".to_owned(),
        bytes: Some(u64::from(HEADER + size)),
        stream: Box::pin(stream::iter(all)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "held within a quarter of the range")]
fn level(sample: u32) -> i16 {
    let turns = f64::from(sample) * PITCH / f64::from(RATE);
    ((turns * std::f64::consts::TAU).sin() * 8192.0) as i16
}

/// Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991), chapter 3.
fn header(size: u32) -> Bytes {
    let mut header = BytesMut::new();
    header.put_slice(b"RIFF");
    header.put_u32_le(HEADER - 8 + size);
    header.put_slice(b"WAVEfmt ");
    header.put_u32_le(16);
    header.put_u16_le(1);
    header.put_u16_le(1);
    header.put_u32_le(RATE);
    header.put_u32_le(RATE * BYTES_PER_SAMPLE);
    header.put_u16_le(2);
    header.put_u16_le(16);
    header.put_slice(b"data");
    header.put_u32_le(size);
    header.freeze()
}
