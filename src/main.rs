#![allow(dead_code)]
mod aws;
mod credentials;
mod secret;

fn main() {}
