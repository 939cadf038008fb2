//! Owns the program of the host on its way to Python: a package, carried as a table of sources.
//!
//! Never on disk and in no process list: Python takes it from its stdin.

use std::collections::BTreeMap;

use serde_json::json;

macro_rules! sources {
    ($($module:literal $path:literal)*) => {
        &[$(($module, include_str!(concat!("host/", $path)))),*]
    };
}

/// By module, below the package.
const SOURCES: &[(&str, &str)] = sources! {
    "__init__" "__init__.py"
    "bootstrap" "bootstrap.py"
    "command" "command.py"
    "compared" "compared.py"
    "layers" "layers.py"
    "main" "main.py"
    "manifest" "manifest.py"
    "nodes" "nodes.py"
    "restored" "restored.py"
    "script" "script.py"
    "seams" "seams.py"
    "shortcuts" "shortcuts/__init__.py"
    "shortcuts.class_code" "shortcuts/class_code.py"
    "shortcuts.locks" "shortcuts/locks.py"
    "shortcuts.macros" "shortcuts/macros.py"
    "shortcuts.messages" "shortcuts/messages.py"
    "shortcuts.namespaces" "shortcuts/namespaces.py"
    "shortcuts.templates" "shortcuts/templates.py"
    "shortcuts.warm_up" "shortcuts/warm_up.py"
    "step" "step.py"
    "versions" "versions.py"
    "wire" "wire.py"
};

/// What Python is started with: it reads the sources and starts the first of them.
///
/// As for the script itself, the script's directory, which is the argument, stands first on the
/// path, and not the working directory, which may hold anything.
pub(super) const READER: &str = "\
import sys
if sys.path[:1] == ['']:
    sys.path[0] = ''.join(sys.argv[1:])
import json
f = open(0, 'rb', 0, closefd=False)
left = int(f.readline())
parts = [b' ']
while parts[-1] and left > 0:
    parts.append(f.read(left))
    left -= len(parts[-1])
sources = json.loads(b''.join(parts).decode())
names = {'__name__': 'dbt_entrypoint_bootstrap'}
exec(compile(sources.pop('bootstrap'), '<dbt-entrypoint: bootstrap>', 'exec'), names)
names['start'](sources)";

/// What the reader expects: a line with the length, and the sources.
pub(super) fn program() -> Vec<u8> {
    let sources: BTreeMap<_, _> = SOURCES.iter().copied().collect();
    let content = json!(sources).to_string();
    format!("{}\n{content}", content.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_package_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session/host");
        let modules: BTreeSet<String> = walkdir::WalkDir::new(&root)
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
            .map(|path| {
                let module = path.strip_prefix(&root).unwrap().with_extension("");
                let name = module.to_str().unwrap().replace('/', ".");
                name.strip_suffix(".__init__").unwrap_or(&name).to_owned()
            })
            .collect();
        let carried: BTreeSet<_> = SOURCES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(modules, carried);
    }
}
