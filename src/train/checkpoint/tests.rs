//! A save that was interrupted anywhere, files of two sets, other formats.

use candle_core::Device;

use super::*;
use crate::train::Progress;

fn checkpoint(iteration: u64, value: f32) -> Checkpoint {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let step = |iteration| Progress {
        iteration,
        stage: 0,
        loss: 1.0 / value as f64,
        rate: 0.1,
        examples: 8,
        seconds: 0.5,
    };
    Checkpoint {
        iteration,
        seed: 7,
        rate_changes: vec![RateChange {
            iteration: 1,
            base_lr: 0.3,
        }],
        weights: BTreeMap::from([
            ("ip.bias".to_owned(), tensor(&[value])),
            (
                "ip.weight".to_owned(),
                tensor(&[value, f32::MIN_POSITIVE, -0.0]),
            ),
        ]),
        momentum: BTreeMap::from([("ip.bias".to_owned(), tensor(&[-value]))]),
        history: History {
            steps: (1..=iteration).map(step).collect(),
            evaluations: Vec::new(),
        },
    }
}

fn bits(tensors: &BTreeMap<String, Tensor>) -> Vec<(String, Vec<u32>)> {
    let values = |tensor: &Tensor| tensor.to_vec1::<f32>().unwrap();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    let entries = tensors.iter();
    entries
        .map(|(key, tensor)| (key.clone(), bits(values(tensor))))
        .collect()
}

#[track_caller]
fn assert_same(a: &Checkpoint, b: &Checkpoint) {
    assert_eq!((a.iteration, a.seed), (b.iteration, b.seed));
    assert_eq!(a.rate_changes, b.rate_changes);
    assert_eq!(a.history, b.history);
    assert_eq!(bits(&a.weights), bits(&b.weights));
    assert_eq!(bits(&a.momentum), bits(&b.momentum));
}

#[test]
fn every_bit_comes_back_and_the_newest_set_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/run");
    for saved in [checkpoint(3, 0.1), checkpoint(5, 0.7)] {
        saved.save(&path, "project").unwrap();
        assert_same(&Checkpoint::load(&path).unwrap(), &saved);
    }
    assert_eq!(fs::read_to_string(path.join(PROJECT)).unwrap(), "project");
    let names: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), FILES.len(), "{names:?}");
}

/// A crash at any moment of a save leaves the old checkpoint or the new one.
#[test]
fn an_interrupted_save_leaves_one_whole_set() {
    let (old, new) = (checkpoint(3, 0.1), checkpoint(5, 0.7));
    let folder = tempfile::tempdir().unwrap();
    for moved in 0..=FILES.len() {
        let path = folder.path().join(format!("saved{moved}"));
        old.save(&path, "old").unwrap();
        // While the new set is written, however far that came:
        new.save(&path.join(SAVING), "new").unwrap();
        fs::remove_file(path.join(SAVING).join(STATE)).unwrap();
        assert_same(&Checkpoint::load(&path).unwrap(), &old);
        // While its files move to their places:
        fs::remove_dir_all(path.join(SAVING)).unwrap();
        new.save(&path.join(SAVED), "new").unwrap();
        for name in &FILES[..moved] {
            fs::rename(path.join(SAVED).join(name), path.join(name)).unwrap();
        }
        assert_same(&Checkpoint::load(&path).unwrap(), &new);
        // The next save clears up.
        old.save(&path, "old").unwrap();
        assert_same(&Checkpoint::load(&path).unwrap(), &old);
        assert!(!path.join(SAVED).exists());
    }
}

#[test]
fn files_of_two_sets_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    checkpoint(3, 0.1).save(&a, "").unwrap();
    // The same iteration of another run.
    checkpoint(3, 0.7).save(&b, "").unwrap();
    for name in [WEIGHTS, OPTIMIZER] {
        checkpoint(3, 0.1).save(&a, "").unwrap();
        fs::copy(b.join(name), a.join(name)).unwrap();
        let error = Checkpoint::load(&a).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    checkpoint(3, 0.1).save(&a, "").unwrap();
    let state = fs::read_to_string(a.join(STATE)).unwrap();
    fs::write(a.join(STATE), state.replace("seed: 7", "seed: 8")).unwrap();
    assert!(
        Checkpoint::load(&a)
            .unwrap_err()
            .to_string()
            .contains(STATE)
    );
}

#[test]
fn a_newer_format_and_a_missing_file_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    checkpoint(3, 0.1).save(path, "").unwrap();
    let state = fs::read_to_string(path.join(STATE)).unwrap();
    fs::write(path.join(STATE), state.replace("version: 1", "version: 2")).unwrap();
    assert!(
        Checkpoint::load(path)
            .unwrap_err()
            .to_string()
            .contains("newer")
    );
    fs::write(path.join(STATE), state).unwrap();
    fs::remove_file(path.join(WEIGHTS)).unwrap();
    assert!(
        Checkpoint::load(path)
            .unwrap_err()
            .to_string()
            .contains(WEIGHTS)
    );
}
