//! In which phases a layer takes part: Caffe's `NetStateRule`s, both ways.

use super::prototxt::{Entry, Message, Value};
use crate::graph::{Phase, Phases};

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Train => "TRAIN",
        Phase::Test => "TEST",
    }
}

/// The phases in which a layer is; `None` for neither. Caffe's rule: in where some `include`
/// holds, or where there is none and no `exclude` does. The level is 0 and there are no stages.
pub(super) fn phases(message: &Message) -> Option<Phases> {
    let holds = |rule: &Message, phase: Phase| {
        rule.0.iter().all(|entry| match entry.name.as_str() {
            "phase" => entry
                .word()
                .is_some_and(|word| word.eq_ignore_ascii_case(name(phase))),
            "min_level" => entry.integer().is_none_or(|level| level <= 0),
            "max_level" => entry.integer().is_none_or(|level| level >= 0),
            "stage" => false,
            _ => true,
        })
    };
    fn rules<'a>(message: &'a Message, name: &'a str) -> Vec<&'a Message> {
        message.all(name).filter_map(Entry::message).collect()
    }
    let (include, exclude) = (rules(message, "include"), rules(message, "exclude"));
    let is_in = |phase: Phase| match include.is_empty() {
        true => !exclude.iter().any(|rule| holds(rule, phase)),
        false => include.iter().any(|rule| holds(rule, phase)),
    };
    match (is_in(Phase::Train), is_in(Phase::Test)) {
        (true, true) => Some(Phases::Both),
        (true, false) => Some(Phases::Train),
        (false, true) => Some(Phases::Test),
        (false, false) => None,
    }
}

/// Whether the rules speak of phases alone, so that [`write`] says the same.
pub(super) fn are_plain(message: &Message) -> bool {
    let rules = message.all("include").chain(message.all("exclude"));
    rules
        .filter_map(Entry::message)
        .flat_map(|rule| &rule.0)
        .all(|entry| entry.name == "phase")
}

pub(super) fn write(message: &mut Message, phases: Phases) {
    let only = match phases {
        Phases::Both => return,
        Phases::Train => Phase::Train,
        Phases::Test => Phase::Test,
    };
    let mut rule = Message::default();
    rule.put("phase", Value::word(name(only)));
    message.put("include", Value::Message(rule));
}
