//! What a user signs in with besides access keys, and the boundary of what it may do.

use super::paging::page;
use super::users::named;
use super::{checked_name, roles};
use crate::aws::iam::held::{Credential, LoginProfile};
use crate::aws::ids::{self, Entropy};
use crate::aws::operation::Call;
use crate::aws::wire::{ApiError, Node};

/// Quotas for one user.
const MFA_MAX: usize = 8;
const CERTIFICATES_MAX: usize = 2;
const SSH_KEYS_MAX: usize = 5;
const SERVICE_CREDENTIALS_MAX: usize = 2;

fn limit(quota: &str, max: usize) -> ApiError {
    ApiError::conflict("LimitExceeded", format!("Cannot exceed quota for {quota}: {max}"))
}

pub(super) fn create_login(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    call.params.required("Password")?;
    let profile =
        LoginProfile { created_at: call.now, reset_required: call.params.get("PasswordResetRequired") == Some("true") };
    let held = &mut named(call.world, &name)?.held;
    if held.login_profile.is_some() {
        let message = format!("Login Profile for user {name} already exists.");
        return Err(ApiError::conflict("EntityAlreadyExists", message));
    }
    let node = login(&name, &profile);
    held.login_profile = Some(profile);
    Ok(node)
}

fn login(name: &str, profile: &LoginProfile) -> Node {
    let fields = vec![
        ("UserName", Node::text(name)),
        ("CreateDate", Node::Time(profile.created_at)),
        ("PasswordResetRequired", Node::Flag(profile.reset_required)),
    ];
    Node::Fields(vec![("LoginProfile", Node::Fields(fields))])
}

fn no_login(name: &str) -> ApiError {
    ApiError::no_such_entity(format!("Login Profile for User {name} cannot be found."))
}

pub(super) fn get_login(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    let profile = named(call.world, &name)?.held.login_profile.clone().ok_or_else(|| no_login(&name))?;
    Ok(login(&name, &profile))
}

pub(super) fn update_login(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("UserName")?.to_owned();
    named(call.world, &name)?.held.login_profile.as_ref().ok_or_else(|| no_login(&name))?;
    Ok(Node::empty())
}

pub(super) fn delete_login(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    named(call.world, &name)?.held.login_profile.take().ok_or_else(|| no_login(&name))?;
    Ok(Node::empty())
}

pub(super) fn create_mfa(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = checked_name(call.params, "VirtualMFADeviceName")?;
    let serial = format!("arn:aws:iam::{}:mfa{}{name}", call.world.account, call.params.get("Path").unwrap_or("/"));
    if !call.world.iam.virtual_mfa.insert(serial.clone()) {
        let message = "MFADevice entity at the same path and name already exists.";
        return Err(ApiError::conflict("EntityAlreadyExists", message));
    }
    let seed = ids::secret();
    let fields = vec![("SerialNumber", Node::text(serial)), ("Base32StringSeed", Node::text(seed))];
    Ok(Node::Fields(vec![("VirtualMFADevice", Node::Fields(fields))]))
}

/// Any two codes that differ do: nobody here has a device to read them from.
pub(super) fn enable_mfa(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let serial = call.params.required("SerialNumber")?.to_owned();
    let codes = (call.params.required("AuthenticationCode1")?, call.params.required("AuthenticationCode2")?);
    let digits = |code: &str| code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    if codes.0 == codes.1 || !digits(codes.0) || !digits(codes.1) {
        return Err(ApiError::forbidden("InvalidAuthenticationCode", "Authentication code for device is not valid"));
    }
    if serial.starts_with("arn:") && !call.world.iam.virtual_mfa.contains(&serial) {
        return Err(ApiError::no_such_entity(format!("Device with name {serial} does not exist.")));
    }
    if call.world.iam.users.values().any(|user| user.held.mfa.contains_key(&serial)) {
        return Err(ApiError::conflict("EntityAlreadyExists", "MFA device is already in use."));
    }
    let (name, now) = (call.params.required("UserName")?.to_owned(), call.now);
    let mfa = &mut named(call.world, &name)?.held.mfa;
    if mfa.len() >= MFA_MAX {
        return Err(limit("MfaDevicesPerUser", MFA_MAX));
    }
    mfa.insert(serial, now);
    Ok(Node::empty())
}

pub(super) fn deactivate_mfa(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (name, serial) = (call.user_name()?, call.params.required("SerialNumber")?);
    let gone = || ApiError::no_such_entity(format!("Device with name {serial} does not exist for user {name}."));
    named(call.world, &name)?.held.mfa.remove(serial).ok_or_else(gone)?;
    Ok(Node::empty())
}

pub(super) fn delete_mfa(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let serial = call.params.required("SerialNumber")?;
    if call.world.iam.users.values().any(|user| user.held.mfa.contains_key(serial)) {
        let message = "MFA VirtualDevice in use. Must deactivate first.";
        return Err(ApiError::conflict("DeleteConflict", message));
    }
    if call.world.iam.virtual_mfa.remove(serial) {
        return Ok(Node::empty());
    }
    Err(ApiError::no_such_entity(format!("VirtualMFADevice with serial number {serial} doesn't exist.")))
}

pub(super) fn list_mfa(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    let devices = named(call.world, &name)?.held.mfa.iter().map(|(serial, at)| {
        let fields = vec![
            ("UserName", Node::text(&name)),
            ("SerialNumber", Node::text(serial)),
            ("EnableDate", Node::Time(*at)),
        ];
        (serial.clone(), Node::Fields(fields))
    });
    let devices = devices.collect();
    page(call.params, "MFADevices", devices).map(Node::Fields)
}

/// All virtual devices, on somebody or on nobody.
pub(super) fn list_virtual_mfa(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let wanted = call.params.get("AssignmentStatus").unwrap_or("Any");
    if !["Any", "Assigned", "Unassigned"].contains(&wanted) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{wanted}' at 'assignmentStatus' failed to satisfy constraint: Member must \
             satisfy enum value set: [Any, Assigned, Unassigned]"
        )));
    }
    let (world, mut found) = (&*call.world, Vec::new());
    for serial in &world.iam.virtual_mfa {
        let on = world.iam.users.values().find_map(|user| Some((user, *user.held.mfa.get(serial)?)));
        if wanted != "Any" && (wanted == "Assigned") != on.is_some() {
            continue;
        }
        let mut fields = vec![("SerialNumber", Node::text(serial))];
        if let Some((user, at)) = on {
            fields.push(("User", Node::Fields(super::users::described(world, user))));
            fields.push(("EnableDate", Node::Time(at)));
        }
        found.push((serial.clone(), Node::Fields(fields)));
    }
    page(call.params, "VirtualMFADevices", found).map(Node::Fields)
}

/// A kind of credential that a user has under an id.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Certificate,
    SshKey,
    Service,
}

impl Of {
    /// The prefix of its ids, the parameter that names one, the list, the parameter that makes one, and the quota.
    const fn words(self) -> (&'static str, &'static str, &'static str, &'static str, (&'static str, usize)) {
        match self {
            Self::Certificate => (
                "ASCA",
                "CertificateId",
                "Certificates",
                "CertificateBody",
                ("SigningCertificatesPerUser", CERTIFICATES_MAX),
            ),
            Self::SshKey => {
                ("APKA", "SSHPublicKeyId", "SSHPublicKeys", "SSHPublicKeyBody", ("SSHPublicKeysPerUser", SSH_KEYS_MAX))
            }
            Self::Service => (
                "ACCA",
                "ServiceSpecificCredentialId",
                "ServiceSpecificCredentials",
                "ServiceName",
                ("ServiceSpecificCredentialsPerUser", SERVICE_CREDENTIALS_MAX),
            ),
        }
    }

    fn described(self, user: &str, id: &str, credential: &Credential, made: bool) -> Node {
        let mut fields = vec![("UserName", Node::text(user)), (self.words().1, Node::text(id))];
        fields.push(("Status", Node::text(if credential.active { "Active" } else { "Inactive" })));
        match self {
            Self::Certificate => {
                fields.push(("CertificateBody", Node::text(&credential.body)));
                fields.push(("UploadDate", Node::Time(credential.created_at)));
            }
            Self::SshKey => fields.push(("UploadDate", Node::Time(credential.created_at))),
            Self::Service => {
                fields.push(("ServiceName", Node::text(&credential.body)));
                fields.push(("ServiceUserName", Node::text(format!("{user}-at-111122223333"))));
                fields.push(("CreateDate", Node::Time(credential.created_at)));
                if made {
                    fields.push(("ServicePassword", Node::text(ids::secret())));
                }
            }
        }
        Node::Fields(fields)
    }
}

fn held<'a>(
    call: &'a mut Call<'_>,
    of: Of,
) -> Result<(String, &'a mut std::collections::BTreeMap<String, Credential>), ApiError> {
    let name = call.user_name()?;
    let held = &mut named(call.world, &name)?.held;
    let all = match of {
        Of::Certificate => &mut held.certificates,
        Of::SshKey => &mut held.ssh_keys,
        Of::Service => &mut held.service_credentials,
    };
    Ok((name, all))
}

pub(super) fn make(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let (prefix, _, list, body, (quota, max)) = of.words();
    let credential = Credential { created_at: call.now, body: call.params.required(body)?.to_owned(), active: true };
    let (name, all) = held(call, of)?;
    if all.len() >= max {
        return Err(limit(quota, max));
    }
    let id = ids::unique_id(prefix, Entropy::Random);
    let node = of.described(&name, &id, &credential, true);
    all.insert(id, credential);
    let whole = match list {
        "Certificates" => "Certificate",
        "SSHPublicKeys" => "SSHPublicKey",
        _ => "ServiceSpecificCredential",
    };
    Ok(Node::Fields(vec![(whole, node)]))
}

pub(super) fn list(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    if matches!(of, Of::Service) && call.params.get("AllUsers") == Some("true") {
        return list_of_all(call);
    }
    let (name, all) = held(call, of)?;
    let all = all.iter().map(|(id, credential)| (id.clone(), of.described(&name, id, credential, false))).collect();
    page(call.params, of.words().2, all).map(Node::Fields)
}

/// Those of all users, by their ids.
fn list_of_all(call: &mut Call<'_>) -> Result<Node, ApiError> {
    if call.params.get("UserName").is_some() {
        return Err(ApiError::validation("UserName and AllUsers cannot be specified together."));
    }
    let users = call.world.iam.users.values();
    let one = |user: &crate::aws::state::User| {
        let all = user.held.service_credentials.iter();
        let described = all.map(|(id, one)| (id.clone(), Of::Service.described(&user.name, id, one, false)));
        described.collect::<Vec<_>>()
    };
    let mut all: Vec<(String, Node)> = users.flat_map(one).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    page(call.params, "ServiceSpecificCredentials", all).map(Node::Fields)
}

pub(super) fn update(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let id = call.params.required(of.words().1)?;
    if matches!(of, Of::SshKey) {
        // Of the three, its call alone has to name the user.
        call.params.required("UserName")?;
    }
    let active = match call.params.required("Status")? {
        "Active" => true,
        "Inactive" => false,
        other => return Err(ApiError::validation(format!("Status cannot be {other}."))),
    };
    let (_, all) = held(call, of)?;
    let found = all.get_mut(id);
    found.ok_or_else(|| ApiError::no_such_entity(format!("The credential with id {id} cannot be found.")))?.active =
        active;
    Ok(Node::empty())
}

pub(super) fn delete(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let id = call.params.required(of.words().1)?;
    let (_, all) = held(call, of)?;
    all.remove(id).ok_or_else(|| ApiError::no_such_entity(format!("The credential with id {id} cannot be found.")))?;
    Ok(Node::empty())
}

/// The boundary of a user, or of a role.
fn boundary<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Option<String>, ApiError> {
    match call.params.get("RoleName") {
        Some(role) => {
            roles::modifiable(call.world, role)?;
            Ok(&mut roles::named(call.world, role)?.boundary)
        }
        None => Ok(&mut named(call.world, call.params.required("UserName")?)?.boundary),
    }
}

pub(super) fn put_boundary(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PermissionsBoundary")?.to_owned();
    if call.world.iam.document(&arn).is_none() {
        return Err(ApiError::no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable.")));
    }
    *boundary(call)? = Some(arn);
    Ok(Node::empty())
}

pub(super) fn delete_boundary(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let gone = || ApiError::no_such_entity("There is no permissions boundary.");
    boundary(call)?.take().ok_or_else(gone)?;
    Ok(Node::empty())
}
