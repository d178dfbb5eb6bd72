//! Shortcuts: which command was pressed, and how its keys are written.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::{COMMANDS, Command, CommandId, Situation};
use crate::i18n::tr;

pub(super) const COMMAND: Modifiers = Modifiers::COMMAND;
pub(super) const SHIFT: Modifiers = Modifiers::SHIFT;
pub(super) const NONE: Modifiers = Modifiers::NONE;
pub(super) const COMMAND_SHIFT: Modifiers = COMMAND.plus(SHIFT);

/// The command whose shortcut was pressed in this frame, if it can run; the key is consumed.
///
/// A key goes to the most demanding shortcut first: Ctrl+Shift+S is not Ctrl+S.
pub fn pressed(ctx: &egui::Context, now: &Situation) -> Option<CommandId> {
    // While a text is typed or a button has the focus, plain keys are theirs.
    let typing = ctx.text_edit_focused();
    let focused = ctx.memory(|memory| memory.focused().is_some());
    let allowed = |command: &&Command| {
        let plain = command
            .shortcut
            .is_some_and(|keys| keys.modifiers.is_none());
        command.in_text || !(typing || (focused || now.in_bench) && plain)
    };
    let mut candidates: Vec<&Command> = COMMANDS.iter().filter(allowed).collect();
    candidates.sort_by_key(|command| {
        let modifiers = command
            .shortcut
            .map(|keys| keys.modifiers)
            .unwrap_or_default();
        std::cmp::Reverse(modifiers.shift as u8 + modifiers.alt as u8)
    });
    let pressed = candidates.into_iter().find(|command| {
        let hit = |keys: KeyboardShortcut| ctx.input_mut(|input| input.consume_shortcut(&keys));
        command.shortcut.is_some_and(hit) || second_shortcut(command.id).is_some_and(hit)
    })?;
    pressed.id.enabled(now).then_some(pressed.id)
}

/// Keys that other programs have taught for the same command.
fn second_shortcut(id: CommandId) -> Option<KeyboardShortcut> {
    match id {
        CommandId::Redo => Some(KeyboardShortcut::new(COMMAND, Key::Y)),
        CommandId::Delete => Some(KeyboardShortcut::new(NONE, Key::Backspace)),
        CommandId::CommandPalette => Some(KeyboardShortcut::new(COMMAND, Key::P)),
        // With Shift held, many keyboards write other brackets.
        CommandId::FoldAll => Some(KeyboardShortcut::new(COMMAND_SHIFT, Key::OpenCurlyBracket)),
        CommandId::UnfoldAll => Some(KeyboardShortcut::new(COMMAND_SHIFT, Key::CloseCurlyBracket)),
        CommandId::ZoomFit => Some(KeyboardShortcut::new(NONE, Key::Home)),
        _ => None,
    }
}

/// The shortcut as it is written in menus; the system's own keys for cut, copy and paste.
pub fn shortcut_text(ctx: &egui::Context, command: &Command) -> String {
    let usual = match command.id {
        CommandId::Cut => Some(Key::X),
        CommandId::Copy => Some(Key::C),
        CommandId::Paste => Some(Key::V),
        _ => None,
    };
    let keys = usual
        .map(|key| KeyboardShortcut::new(COMMAND, key))
        .or(command.shortcut);
    match keys {
        Some(keys) if keys.logical_key == Key::Space => tr("Space", "空格").to_owned(),
        Some(keys) => {
            let text = ctx.format_shortcut(&keys);
            // The signs on the keys instead of their names.
            let signs = [("OpenBracket", "["), ("CloseBracket", "]"), ("Period", ".")];
            signs
                .into_iter()
                .fold(text, |text, (name, sign)| text.replace(name, sign))
        }
        None => String::new(),
    }
}
