#![allow(dead_code)]
mod aws;
mod secret;

fn main() {}
