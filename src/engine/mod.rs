//! The engine.
//!
//! Runs on: to be filled in.
//! Owns: to be filled in.
//! Never: to be filled in.
