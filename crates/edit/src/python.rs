//! Which texts can become valid Python.
