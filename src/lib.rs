//! Layerlab: assemble deep networks, train them, and look inside while they learn.
//!
//! ```text
//! project.ron → Project → Graph ─infer→ Shapes + Diagnostics ─compile→ Net
//!                                           Net + Dataset + Stages → Session thread
//! Session ⇒ Event, Snapshot ⇒ views ⇒ Command ⇒ Session
//! ```
//!
//! Imports point only down this list, read from its end: a module may use those above it.

pub mod i18n;

pub mod nn;

pub mod graph;

pub mod layers;

pub mod net;

pub mod data;

pub mod train;

pub mod project;

pub mod inspect;

pub mod interop;

pub mod labs;

pub mod cli;

#[cfg(feature = "window")]
pub mod gui;
