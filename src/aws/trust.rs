//! Owns the reading of a CA bundle, which replaces the system's certificates as it does for the AWS
//! CLI.
//!
//! Never lets a certificate through that the HTTP client could not use: it would panic, at the
//! first connection.

use std::path::Path;

use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_types::base64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Error;

/// Corporate bundles hold the odd certificate that is malformed or of no use here, so those are
/// passed over, as OpenSSL passes them over; only a bundle without a single usable one is an error.
/// `origin` is what names the bundle, such as `AWS_CA_BUNDLE`.
pub(super) fn read(path: &Path, origin: &'static str) -> Result<TrustStore, Error> {
    let pem = std::fs::read(path).map_err(|source| Error::Bundle {
        path: path.to_owned(),
        origin,
        source,
    })?;
    let mut usable = RootCertStore::empty();
    let mut store = TrustStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok) {
        let text = to_pem(&certificate);
        match usable.add(certificate) {
            Ok(()) => drop(store.add_pem_certificate(text)),
            Err(error) => {
                tracing::debug!(bundle = %path.display(), %error, "a certificate of the CA bundle \
                    is not usable");
            }
        }
    }
    if usable.is_empty() {
        return Err(Error::NoCertificate {
            path: path.to_owned(),
            origin,
        });
    }
    Ok(store)
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        base64::encode(certificate)
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    // A self-signed certificate (P-256, CN=test authority) made for this test; its key was thrown
    // away.
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
         MIIBiTCCAS+gAwIBAgIUey+Ew9BXGxoacpzxnXn5UWfil0wwCgYIKoZIzj0EAwIw\n\
         GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIyMTcxNjA3WhgPMjEy\n\
         NjEwMjkxNzE2MDdaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI\n\
         zj0CAQYIKoZIzj0DAQcDQgAEh7eXISoRfZsxUgIWXQfD/26heaYLazUSd2zNh04W\n\
         4l9wXu1FzANip2W/hcWuW3lshCc+2AwnfV+xevSgUX9eiKNTMFEwHQYDVR0OBBYE\n\
         FF9iDgRlizrk2i4poSjCNs7DSMYdMB8GA1UdIwQYMBaAFF9iDgRlizrk2i4poSjC\n\
         Ns7DSMYdMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgEAh9xMdI\n\
         uEJ5J/3qomg4bshf/5ySXqhe1SYgJhSf5HwCIQCNgowicFo3FOi1v2HIWNdanuvW\n\
         FoBgH0UJsRI3aQ0/7Q==\n\
         -----END CERTIFICATE-----\n";

    fn bundle(content: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file
    }

    #[test]
    fn comments_and_broken_certificates_are_passed_over() {
        let broken =
            "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
        let cut_off = "-----BEGIN CERTIFICATE-----\nMIIB\n";
        let file = bundle(&format!("# our proxy\n{broken}{CERTIFICATE}{cut_off}"));
        assert!(
            format!("{:?}", read(file.path(), "AWS_CA_BUNDLE").unwrap()).contains("CertificatePEM")
        );
    }

    #[test]
    fn a_bundle_without_a_usable_certificate_is_an_error_that_names_the_file() {
        for content in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
        ] {
            let file = bundle(content);
            let message = read(file.path(), "AWS_CA_BUNDLE").unwrap_err().to_string();
            assert!(message.contains(file.path().to_str().unwrap()), "{message}");
        }
    }

    #[test]
    fn an_unreadable_bundle_is_an_error_that_names_the_file() {
        let message = read(Path::new("/nonexistent/bundle.pem"), "AWS_CA_BUNDLE")
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "cannot read the CA bundle /nonexistent/bundle.pem (AWS_CA_BUNDLE)"
        );
    }
}
