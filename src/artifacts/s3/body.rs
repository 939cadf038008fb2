//! Owns a scanned file as the body of a request.
//!
//! Never sends what has changed since the scan: reading it is an error then.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::artifacts::opened::{Scanned, VerifiedReader};

/// Read from its beginning at each attempt.
pub(super) fn of(file: &Scanned) -> ByteStream {
    let file = file.clone();
    ByteStream::new(SdkBody::retryable(move || {
        SdkBody::from_body_1_x(FileBody(file.reader()))
    }))
}

struct FileBody(VerifiedReader);

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    /// The file is on a disk of this machine, so nobody waits for it.
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let part = self.get_mut().0.next_part().transpose();
        Poll::Ready(part.map(|part| part.map(|part| Frame::data(part.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.left())
    }
}
