//! Who lives on this box, how what is theirs is opened, and how a program of it is run with bounds and
//! with whose rights.
//!
//! The tools are linked statically: nothing here asks the name services of the C library.

pub mod beneath;
pub mod child;
mod errand;
pub mod getent;
pub mod groups;
mod lock;
mod owner;
mod private_folder;
mod scope;
pub mod session;
mod units;

pub use errand::Errand;
pub use lock::lock;
pub use owner::{Owner, Users, state_folder, whose};
pub use private_folder::private_folder;
pub use scope::Scope;
pub use units::{UnitFolder, unit_folders};
