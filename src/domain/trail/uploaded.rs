//! SSH keys and signing certificates, which users have besides access keys: what a call has done to one, as a deed says it.

use serde_json::Value;

use super::deed::Deed;
use super::resource::at;

/// Stands after the id of one that a call has switched off. No id can have it.
const OFF: &str = " Inactive";

/// What has become of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Done {
    /// It was put on its user.
    Uploaded,
    /// It lets in again.
    On,
    /// It lets nobody in.
    Off,
    /// It is gone.
    Deleted,
}

/// What a deed has done to one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Uploaded<'a> {
    /// Whether it is an SSH key; else it is a signing certificate.
    pub is_ssh_key: bool,
    /// Its id. Empty where the record does not have it.
    pub id: &'a str,
    /// What was done to it.
    pub done: Done,
}

impl<'a> Uploaded<'a> {
    /// None where the deed is about something else.
    pub fn of(deed: &'a Deed) -> Option<Self> {
        let (is_ssh_key, done) = match deed.operation.as_str() {
            "UploadSSHPublicKey" => (true, Done::Uploaded),
            "UploadSigningCertificate" => (false, Done::Uploaded),
            "UpdateSSHPublicKey" => (true, Done::On),
            "UpdateSigningCertificate" => (false, Done::On),
            "DeleteSSHPublicKey" => (true, Done::Deleted),
            "DeleteSigningCertificate" => (false, Done::Deleted),
            _ => return None,
        };
        Some(match deed.what.strip_suffix(OFF) {
            Some(id) => Self { is_ssh_key, id, done: Done::Off },
            None => Self { is_ssh_key, id: &deed.what, done },
        })
    }

    /// Whether both are about the same one.
    pub fn is_same(&self, other: &Uploaded<'_>) -> bool {
        self.is_ssh_key == other.is_ssh_key && self.id == other.id && !self.id.is_empty()
    }
}

/// What a call is said to have done; none where it is another call.
pub(super) fn what(call: &str, request: &Value, response: &Value) -> Option<String> {
    let (tree, path) = match call {
        "UploadSSHPublicKey" => (response, "sSHPublicKey.sSHPublicKeyId"),
        "UploadSigningCertificate" => (response, "certificate.certificateId"),
        "UpdateSSHPublicKey" | "DeleteSSHPublicKey" => (request, "sSHPublicKeyId"),
        "UpdateSigningCertificate" | "DeleteSigningCertificate" => (request, "certificateId"),
        _ => return None,
    };
    let first = |tree: &Value, path: &str| at(tree, path).into_iter().next();
    let id = first(tree, path).unwrap_or_default();
    let is_off = first(request, "status").is_some_and(|status| status.eq_ignore_ascii_case("Inactive"));
    Some(if is_off { format!("{id}{OFF}") } else { id })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deed(operation: &str, request: &Value, response: &Value) -> Option<Deed> {
        let what = what(operation, request, response)?;
        let (operation, event_id) = (operation.to_owned(), "e".to_owned());
        Some(Deed { operation, what, event_id, by_attacker: true, made_default: false })
    }

    #[test]
    fn each_call_says_which_one_it_is_about_and_what_it_has_done_to_it() {
        let none = Value::Null;
        let ssh = json!({"sSHPublicKey": {"userName": "ci", "sSHPublicKeyId": "APKA1", "status": "Active"}});
        let certificate = json!({"certificate": {"userName": "ci", "certificateId": "ASCA1", "status": "Active"}});
        let key = |status: &str| json!({"userName": "ci", "sSHPublicKeyId": "APKA1", "status": status});
        let of = |status: &str| json!({"userName": "ci", "certificateId": "ASCA1", "status": status});
        let gone = (json!({"sSHPublicKeyId": "APKA1"}), json!({"certificateId": "ASCA1"}));
        for (call, request, response, expected) in [
            ("UploadSSHPublicKey", &none, &ssh, (true, "APKA1", Done::Uploaded)),
            ("UploadSigningCertificate", &none, &certificate, (false, "ASCA1", Done::Uploaded)),
            ("UpdateSSHPublicKey", &key("Active"), &none, (true, "APKA1", Done::On)),
            ("UpdateSSHPublicKey", &key("Inactive"), &none, (true, "APKA1", Done::Off)),
            ("UpdateSigningCertificate", &of("Active"), &none, (false, "ASCA1", Done::On)),
            ("UpdateSigningCertificate", &of("Inactive"), &none, (false, "ASCA1", Done::Off)),
            ("DeleteSSHPublicKey", &gone.0, &none, (true, "APKA1", Done::Deleted)),
            ("DeleteSigningCertificate", &gone.1, &none, (false, "ASCA1", Done::Deleted)),
            // The response was left out of the record.
            ("UploadSSHPublicKey", &none, &none, (true, "", Done::Uploaded)),
        ] {
            let deed = deed(call, request, response).unwrap();
            let read = Uploaded::of(&deed).unwrap();
            assert_eq!((read.is_ssh_key, read.id, read.done), expected, "{call}");
            assert_eq!(read.is_same(&read), !read.id.is_empty(), "{call}: what has no id is no other's");
        }
        assert_eq!(deed("CreateUser", &none, &none), None);
    }
}
