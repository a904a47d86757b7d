//! The client side of the command line: one command and the end, or the shell.

mod code_name;
mod command;
mod connection;
mod failure;
#[cfg(test)]
mod fake;
mod interrupt;
mod json;
mod live;
mod one_shot;
mod options;
mod outcome;
mod output;
mod render;
mod shell;
mod subtree;
pub(crate) mod transfer;
mod value;
mod watching;

pub(crate) use self::{
    code_name::code_name,
    command::ClientCommand,
    json::{acl_value, data_value},
    one_shot::run,
    options::ClientOptions,
    render::visible,
    shell::{ShellArguments, run as run_shell},
    value::{ZnodePath, permission_letters},
};
