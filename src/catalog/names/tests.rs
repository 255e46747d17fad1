//! The naming rules as a table.
