//! PyTorch's own files against their numbers, and files that mean harm.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

macro_rules! case {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/cases/pytorch/",
            $name
        ))
        .as_slice()
    };
}

fn open_bytes(bytes: &[u8]) -> Result<Contents, String> {
    open(Box::new(Cursor::new(bytes.to_vec())), bytes.len() as u64)
}

fn numbers(contents: &mut Contents, key: &str) -> (Vec<usize>, Vec<f32>) {
    let view = &contents.views[key];
    let tensor = contents.store.read(view).unwrap();
    let numbers = tensor.flatten_all().unwrap().to_vec1().unwrap();
    (tensor.dims().to_vec(), numbers)
}

#[track_caller]
fn check_tensors(bytes: &[u8]) -> Vec<String> {
    let text = include_str!("../../../tests/cases/pytorch/expected.json");
    let expected: BTreeMap<String, (Vec<usize>, Vec<f32>)> = serde_json::from_str(text).unwrap();
    let mut contents = open_bytes(bytes).unwrap();
    assert!(contents.views.keys().eq(expected.keys()));
    for (key, expected) in &expected {
        assert_eq!(&numbers(&mut contents, key), expected, "{key}");
    }
    contents.notes
}

#[test]
fn both_forms_and_every_protocol_give_the_same_numbers() {
    for bytes in [
        case!("zip.pth"),
        case!("older.pth"),
        case!("protocol3.pth"),
        case!("protocol4.pth"),
        case!("protocol5.pth"),
        case!("deflated.pth"),
    ] {
        assert_eq!(check_tensors(bytes), [""; 0]);
    }
}

#[test]
fn a_checkpoint_of_parallel_training_is_unwrapped() {
    let notes = check_tensors(case!("wrapped.pth"));
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("state_dict") && notes[1].contains("module."));
}

/// The zip form around any pickle, with one storage of eight numbers.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let numbers: Vec<u8> = (0..8u8).flat_map(|n| f32::from(n).to_le_bytes()).collect();
    for (name, bytes) in [("x/data.pkl", pickle), ("x/data/0", &numbers)] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![b'X'];
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

fn long(number: i64) -> Vec<u8> {
    let mut bytes = vec![0x8a, 8];
    bytes.extend(number.to_le_bytes());
    bytes
}

fn tuple(numbers: &[i64]) -> Vec<u8> {
    let mut bytes = vec![b'('];
    bytes.extend(numbers.iter().flat_map(|number| long(*number)));
    bytes.push(b't');
    bytes
}

/// `{"w": tensor}` with these sizes; storage 0 declares `count` numbers.
fn of_tensor(count: i64, offset: i64, shape: &[i64], stride: &[i64]) -> Vec<u8> {
    let parts: [&[u8]; 13] = [
        b"\x80\x02}",
        &text("w"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text("0"),
        &text("cpu"),
        &long(count),
        b"tQ",
        &[long(offset), tuple(shape), tuple(stride)].concat(),
        b"\x89}tR",
        b"s",
        b".",
    ];
    parts.concat()
}

#[test]
fn tensors_stay_within_their_storage() {
    let open = |count, offset, shape: &[i64], stride: &[i64]| {
        open_bytes(&archive(&of_tensor(count, offset, shape, stride)))
    };
    let mut read = open(8, 1, &[2, 3], &[4, 1]).unwrap();
    assert_eq!(
        numbers(&mut read, "w"),
        (vec![2, 3], vec![1.0, 2.0, 3.0, 5.0, 6.0, 7.0])
    );
    let wrong: [(i64, i64, &[i64], &[i64]); 9] = [
        (8, 2, &[2, 3], &[4, 1]),
        (9, 0, &[9], &[1]),
        (8, 0, &[1 << 40], &[0]),
        (8, 0, &[1 << 40, 1 << 40], &[1, 1]),
        (8, 0, &[i64::MAX], &[i64::MAX]),
        (i64::MAX, 0, &[2], &[1]),
        (8, -1, &[2], &[1]),
        (8, 7, &[2], &[-1]),
        (8, 0, &[2, 2], &[1]),
    ];
    for (count, offset, shape, stride) in wrong {
        assert!(
            open(count, offset, shape, stride).is_err(),
            "{count} {offset} {shape:?}"
        );
    }
}

/// Refused within a second, in words that hold `expected`.
#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    let begun = Instant::now();
    let error = match open_bytes(bytes) {
        Ok(contents) => panic!("read {:?}", contents.views),
        Err(error) => error,
    };
    assert!(error.contains(expected), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{error}");
}

#[test]
fn code_is_refused_by_name() {
    check_refused(case!("code.pth"), "posix.system");
    let check = |pickle: &[u8], name: &str| {
        check_refused(&archive(&[b"\x80\x02", pickle, b"."].concat()), name);
    };
    check(b"cos\nsystem\nU\x02ls\x85R", "os.system");
    check(b"c__builtin__\neval\nU\x01x\x85R", "__builtin__.eval");
    check(
        b"\x8c\x08builtins\x8c\x04exec\x93U\x01x\x85R",
        "builtins.exec",
    );
    check(b"(ios\nsystem\n", "os.system");
    check(b"(cos\nsystem\nU\x02lso", "os.system");
    check(b"ctorch\nFloatStorage\n)R", "storage");
    check(b"ctorch\nFloatStorage\n)\x81", "NEWOBJ");
    check(b"]}b", "BUILD");
    check(b"}}R", "REDUCE");
    check(b"P0\n", "PERSID");
    check(b"c\x1b[31m\nx\n", "\\u{1b}[31m.x");
    check_refused(&archive(b"\x80\x00."), "protocol 0");
}

#[test]
fn harm_is_refused_before_it_is_done() {
    check_refused(case!("bomb.pth"), "larger than the file");
    let pickle = |body: Vec<u8>| archive(&[b"\x80\x02".to_vec(), body, b".".to_vec()].concat());
    // A million lists in lists, marks in marks, and a list that holds itself.
    check_refused(&pickle(b"]".repeat(2_000_000)), "objects");
    check_refused(&pickle(b"(".repeat(2_000_000)), "objects");
    check_refused(
        &pickle([b"]".repeat(400_000), b"a".repeat(399_999)].concat()),
        "state dict",
    );
    check_refused(
        &pickle([b"N".to_vec(), b"\x85".repeat(400_000)].concat()),
        "state dict",
    );
    check_refused(&pickle(b"]q\0h\0a".to_vec()), "state dict");
    check_refused(&pickle(b"}q\0X\x0a\0\0\0state_dicth\0s".to_vec()), "");
    // Each doubles the last.
    check_refused(
        &pickle([b"N".to_vec(), b"2\x86".repeat(600_000)].concat()),
        "objects",
    );
    // Counts of what is not there.
    check_refused(&pickle(b"X\xff\xff\xff\x7f".to_vec()), "damaged");
    check_refused(
        &pickle([b"\x8d".to_vec(), vec![0xff; 8]].concat()),
        "damaged",
    );
    check_refused(&pickle(b"\x8b\xff\xff\xff\x7f".to_vec()), "damaged");
    check_refused(&archive(&vec![b'N'; pickle::MAX_BYTES + 1]), "objects");
    check_refused(b"", "neither");
    check_refused(b"PK\x03\x04", "damaged zip");
    check_refused(case!("zip.pth").split_at(2000).0, "damaged zip");
    check_refused(case!("older.pth").split_at(15).0, "breaks off");
}

#[test]
fn broken_off_older_files_are_errors() {
    let whole = case!("older.pth");
    for length in 0..whole.len() {
        assert!(open_bytes(&whole[..length]).is_err(), "{length} bytes");
    }
}

/// Thousands of damaged files: an error or tensors, never a panic, and never more numbers than the
/// file can account for.
#[test]
fn damaged_files_are_errors_or_tensors() {
    let originals = [case!("zip.pth"), case!("older.pth"), case!("deflated.pth")];
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut refused, mut whole) = (0, 0);
    for round in 0..6_000 {
        let mut bytes = originals[round % originals.len()].to_vec();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..5) {
                0 => bytes[at] = random.random(),
                1 if random.random_bool(0.2) => bytes.truncate(at.max(1)),
                1 => bytes[at] = 0xff,
                2 => bytes.insert(at, random.random()),
                3 => bytes[at] ^= 1 << random.random_range(0..8),
                _ => drop(bytes.drain(at..(at + random.random_range(1..30)).min(bytes.len()))),
            }
            if bytes.is_empty() {
                break;
            }
        }
        match open_bytes(&bytes) {
            Ok(mut contents) => {
                let most = 16 * bytes.len() + (1 << 20);
                for view in contents.views.values() {
                    if let Ok(tensor) = contents.store.read(view) {
                        assert!(tensor.elem_count() * 4 <= most);
                        assert_eq!(tensor.dims(), view.shape);
                    }
                }
                whole += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("{refused} refused, {whole} read");
    assert!(refused > 500 && whole > 500, "both ways are walked");
}
