//! A batch as it is kept and shown.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How far a batch is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its lines are counted, or it waits for that.
    Validating,
    /// It cannot be begun.
    Failed,
    /// Its lines are answered.
    InProgress,
    /// Its results are made files.
    Finalizing,
    /// All lines are answered or refused.
    Completed,
    /// Its time was over before its end.
    Expired,
    /// It is to end.
    Cancelling,
    /// It has ended before its end.
    Cancelled,
}

impl Status {
    /// Whether nothing will happen any more.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Failed | Status::Completed | Status::Expired | Status::Cancelled)
    }

    fn as_str(self) -> &'static str {
        match self {
            Status::Validating => "validating",
            Status::Failed => "failed",
            Status::InProgress => "in_progress",
            Status::Finalizing => "finalizing",
            Status::Completed => "completed",
            Status::Expired => "expired",
            Status::Cancelling => "cancelling",
            Status::Cancelled => "cancelled",
        }
    }
}

/// What is wrong with a whole batch.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Problem {
    /// A stable code.
    pub code: String,
    /// Cause and way out.
    pub message: String,
}

/// A batch.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// The path it was made for. Each line says itself which API it speaks.
    pub endpoint: String,
    /// The file of requests.
    pub input_file_id: String,
    /// `24h`.
    pub completion_window: String,
    /// What the caller notes.
    pub metadata: Value,
    /// How far it is.
    pub status: Status,
    /// What is wrong with it, if it has failed.
    pub errors: Vec<Problem>,
    /// Ids that its results will have, or have.
    pub output_file_id: String,
    /// See above.
    pub error_file_id: String,
    /// Which of the two there are.
    pub has_files: (bool, bool),
    /// Lines in all, answered, refused.
    pub counts: [u64; 3],
    /// When it came to be in each status, as pairs with Unix time in seconds; first that it was made.
    pub history: Vec<(Status, u64)>,
    /// Unix time in seconds.
    pub created_at: u64,
    /// Unix time in seconds.
    pub expires_at: u64,
}

impl Batch {
    /// Enters a status at this time.
    pub fn enter(&mut self, status: Status, now: u64) {
        self.status = status;
        self.history.push((status, now));
    }

    /// The API's object.
    pub fn object(&self) -> Value {
        let at = |wanted: Status| {
            self.history.iter().rev().find(|(status, _)| *status == wanted).map(|(_, time)| *time)
        };
        let errors: Vec<Value> = self
            .errors
            .iter()
            .map(|e| json!({"code": e.code, "message": e.message, "param": null, "line": null}))
            .collect();
        let file = |there: bool, id: &str| if there { json!(id) } else { Value::Null };
        let [total, completed, failed] = self.counts;
        json!({
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": if errors.is_empty() { Value::Null } else { json!({"object": "list", "data": errors}) },
            "input_file_id": self.input_file_id,
            "completion_window": self.completion_window,
            "status": self.status.as_str(),
            "output_file_id": file(self.has_files.0, &self.output_file_id),
            "error_file_id": file(self.has_files.1, &self.error_file_id),
            "created_at": self.created_at,
            "in_progress_at": at(Status::InProgress),
            "expires_at": self.expires_at,
            "finalizing_at": at(Status::Finalizing),
            "completed_at": at(Status::Completed),
            "failed_at": at(Status::Failed),
            "expired_at": at(Status::Expired),
            "cancelling_at": at(Status::Cancelling),
            "cancelled_at": at(Status::Cancelled),
            "request_counts": {"total": total, "completed": completed, "failed": failed},
            "metadata": self.metadata,
        })
    }
}
