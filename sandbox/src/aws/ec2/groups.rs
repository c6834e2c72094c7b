//! Security groups and their rules.

use super::super::ids::{self, Entropy};
use super::super::wire::{ApiError, Node, Params};
use super::filters::{Filters, page};
use super::{Call, Region, Tags, bad_value, done, new_id, tag_set};

#[derive(Clone, Debug)]
pub(in crate::aws) struct Group {
    pub(in crate::aws) id: String,
    pub(in crate::aws) name: String,
    pub(in crate::aws) description: String,
    pub(in crate::aws) vpc_id: String,
    pub(in crate::aws) rules: Vec<Rule>,
    pub(in crate::aws) tags: Tags,
}

/// Who may come in, or where to things may go out, on which ports.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Rule {
    pub(in crate::aws) id: String,
    /// Whether it is about what goes out.
    pub(in crate::aws) egress: bool,
    /// `tcp`, `udp`, `icmp`, or `-1` for all.
    pub(in crate::aws) protocol: String,
    pub(in crate::aws) ports: (i64, i64),
    /// The other side, in CIDR notation, of version 4 or 6.
    pub(in crate::aws) peer: String,
    pub(in crate::aws) description: Option<String>,
}

impl Rule {
    fn is_v6(&self) -> bool {
        self.peer.contains(':')
    }

    fn same(&self, other: &Self) -> bool {
        let said = |rule: &Self| (rule.egress, rule.protocol.clone(), rule.ports, rule.peer.clone());
        said(self) == said(other)
    }
}

impl Group {
    /// The one that every Region has: everything may go out, and nothing come in.
    pub(super) fn default_of(account: &str, region: &str) -> Self {
        let named = |prefix: &str| ids::resource_id(prefix, Entropy::Named(&format!("{prefix}/{account}/{region}")));
        Self {
            id: named("sg"),
            name: "default".to_owned(),
            description: "default VPC security group".to_owned(),
            vpc_id: named("vpc"),
            rules: vec![Rule {
                id: named("sgr"),
                egress: true,
                protocol: "-1".to_owned(),
                ports: (-1, -1),
                peer: "0.0.0.0/0".to_owned(),
                description: None,
            }],
            tags: Tags::new(),
        }
    }
}

fn known<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Group, ApiError> {
    let missing =
        || ApiError::bad_request("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"));
    region.groups.get_mut(id).ok_or_else(missing)
}

/// The group named by id or by name; in a default VPC either will do.
fn asked(call: &mut Call<'_>) -> Result<String, ApiError> {
    if let Some(name) = call.params.get("GroupName").filter(|_| call.params.get("GroupId").is_none()) {
        let found = call.here()?.groups.values().find(|group| group.name == name).map(|group| group.id.clone());
        return found.ok_or_else(|| {
            ApiError::bad_request("InvalidGroup.NotFound", format!("The security group '{name}' does not exist"))
        });
    }
    call.required("GroupId")
}

/// Refuses an id that no group of the Region has.
pub(super) fn check(region: &Region, id: &str) -> Result<(), ApiError> {
    if region.groups.contains_key(id) {
        return Ok(());
    }
    Err(ApiError::bad_request("InvalidGroup.NotFound", format!("The security group '{id}' does not exist")))
}

/// The rules that a call spells out, without ids.
fn rules_in(params: &Params, egress: bool) -> Result<Vec<Rule>, ApiError> {
    let mut rules = Vec::new();
    for index in 1.. {
        let at = format!("IpPermissions.{index}");
        let Some(protocol) = params.get(&format!("{at}.IpProtocol")) else { break };
        let ports = ports(params, &format!("{at}."))?;
        for (list, field) in [("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")] {
            let name = format!("{at}.{list}");
            for (nth, peer) in (1..).zip(params.items(&name, &format!(".{field}"))) {
                let description = params.get(&format!("{name}.{nth}.Description")).map(str::to_owned);
                rules.push(Rule { egress, description, ..rule(protocol, ports, peer)? });
            }
        }
    }
    // The short form is for what comes in alone.
    if let Some(peer) = params.get("CidrIp").filter(|_| !egress) {
        let protocol = params.get("IpProtocol").ok_or_else(|| bad_value("Invalid IP protocol."))?;
        rules.push(rule(protocol, ports(params, "")?, peer)?);
    }
    Ok(rules)
}

fn rule(protocol: &str, ports: (i64, i64), peer: &str) -> Result<Rule, ApiError> {
    let network = peer.split_once('/').and_then(|(address, bits)| {
        let address: std::net::IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        Some(bits <= if address.is_ipv6() { 128 } else { 32 })
    });
    if network != Some(true) {
        return Err(bad_value(format!("CIDR block {peer} is malformed")));
    }
    if !matches!(protocol, "tcp" | "udp" | "icmp" | "-1") {
        return Err(bad_value(format!("Invalid value '{protocol}' for IP protocol. Unknown protocol.")));
    }
    let (protocol, peer) = (protocol.to_owned(), peer.to_owned());
    Ok(Rule { id: new_id("sgr"), egress: false, protocol, ports, peer, description: None })
}

fn ports(params: &Params, prefix: &str) -> Result<(i64, i64), ApiError> {
    let port = |name: &str| {
        params.get(&format!("{prefix}{name}")).map_or(Ok(-1), |text| {
            let port = text.parse().ok().filter(|port| (-1..=65_535).contains(port));
            port.ok_or_else(|| bad_value(format!("Invalid value for portRange. Must specify a number, not {text}.")))
        })
    };
    Ok((port("FromPort")?, port("ToPort")?))
}

pub(super) fn authorize_ingress(call: &mut Call<'_>) -> Result<Node, ApiError> {
    authorize(call, "AuthorizeSecurityGroupIngress", false)
}

pub(super) fn authorize_egress(call: &mut Call<'_>) -> Result<Node, ApiError> {
    authorize(call, "AuthorizeSecurityGroupEgress", true)
}

fn authorize(call: &mut Call<'_>, operation: &str, egress: bool) -> Result<Node, ApiError> {
    let id = asked(call)?;
    call.permit(operation, &[format!("security-group/{id}")])?;
    let rules = rules_in(call.params, egress)?;
    if rules.is_empty() {
        return Err(ApiError::bad_request("MissingParameter", "The request must contain the parameter ipPermissions"));
    }
    let group = known(call.here()?, &id)?;
    if let Some(rule) = rules.iter().find(|rule| group.rules.iter().any(|known| known.same(rule))) {
        return Err(ApiError::bad_request(
            "InvalidPermission.Duplicate",
            format!("the specified rule \"peer: {}, {}, ALLOW\" already exists", rule.peer, protocol_words(rule)),
        ));
    }
    call.unless_dry()?;
    known(call.here()?, &id)?.rules.extend(rules.iter().cloned());
    let account = call.world.account;
    let nodes = rules.iter().map(|rule| rule_node(&id, account, rule)).collect();
    Ok(Node::Fields(vec![("return", Node::Flag(true)), ("securityGroupRuleSet", Node::Members(nodes))]))
}

fn protocol_words(rule: &Rule) -> String {
    format!("{}, from port: {}, to port: {}", rule.protocol.to_uppercase(), rule.ports.0, rule.ports.1)
}

pub(super) fn revoke_ingress(call: &mut Call<'_>) -> Result<Node, ApiError> {
    revoke(call, "RevokeSecurityGroupIngress", false)
}

pub(super) fn revoke_egress(call: &mut Call<'_>) -> Result<Node, ApiError> {
    revoke(call, "RevokeSecurityGroupEgress", true)
}

fn revoke(call: &mut Call<'_>, operation: &str, egress: bool) -> Result<Node, ApiError> {
    let id = asked(call)?;
    call.permit(operation, &[format!("security-group/{id}")])?;
    let (spelled, named) = (rules_in(call.params, egress)?, call.params.items("SecurityGroupRuleId", ""));
    if spelled.is_empty() && named.is_empty() {
        return Err(ApiError::bad_request("MissingParameter", "The request must contain the parameter ipPermissions"));
    }
    let group = known(call.here()?, &id)?;
    let there = spelled.iter().all(|rule| group.rules.iter().any(|known| known.same(rule)));
    if !there {
        let sentence = "The specified rule does not exist in this security group.";
        return Err(ApiError::bad_request("InvalidPermission.NotFound", sentence));
    }
    let of = |id: &str| group.rules.iter().any(|known| known.egress == egress && known.id == id);
    if let Some(rule) = named.iter().find(|rule| !of(rule)) {
        let sentence = format!("The security group rule ID '{rule}' does not exist");
        return Err(ApiError::bad_request("InvalidSecurityGroupRuleId.NotFound", sentence));
    }
    call.unless_dry()?;
    let gone = |rule: &Rule| named.contains(&rule.id.as_str()) || spelled.iter().any(|other| other.same(rule));
    known(call.here()?, &id)?.rules.retain(|rule| !gone(rule));
    Ok(done())
}

fn rule_node(group_id: &str, account: &str, rule: &Rule) -> Node {
    let mut fields = vec![
        ("securityGroupRuleId", Node::text(&rule.id)),
        ("groupId", Node::text(group_id)),
        ("groupOwnerId", Node::text(account)),
        ("isEgress", Node::Flag(rule.egress)),
        ("ipProtocol", Node::text(&rule.protocol)),
        ("fromPort", Node::Number(rule.ports.0)),
        ("toPort", Node::Number(rule.ports.1)),
        (if rule.is_v6() { "cidrIpv6" } else { "cidrIpv4" }, Node::text(&rule.peer)),
    ];
    if let Some(text) = &rule.description {
        fields.push(("description", Node::text(text)));
    }
    Node::Fields(fields)
}

fn permission(rule: &Rule) -> Node {
    let range = |field: &'static str| {
        let mut fields = vec![(field, Node::text(&rule.peer))];
        if let Some(text) = &rule.description {
            fields.push(("description", Node::text(text)));
        }
        Node::Members(vec![Node::Fields(fields)])
    };
    let none = || Node::Members(Vec::new());
    let (v4, v6) = if rule.is_v6() { (none(), range("cidrIpv6")) } else { (range("cidrIp"), none()) };
    let mut fields = vec![("ipProtocol", Node::text(&rule.protocol))];
    if rule.protocol != "-1" {
        fields.push(("fromPort", Node::Number(rule.ports.0)));
        fields.push(("toPort", Node::Number(rule.ports.1)));
    }
    fields.extend([("groups", none()), ("ipRanges", v4), ("ipv6Ranges", v6), ("prefixListIds", none())]);
    Node::Fields(fields)
}

fn permissions(group: &Group, egress: bool) -> Node {
    Node::Members(group.rules.iter().filter(|rule| rule.egress == egress).map(permission).collect())
}

fn peers(group: &Group, egress: bool) -> Vec<String> {
    group.rules.iter().filter(|rule| rule.egress == egress).map(|rule| rule.peer.clone()).collect()
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters, account) = (call.params, Filters::of(call.params), call.world.account);
    let region = call.here()?;
    let (ids, names) = (params.items("GroupId", ""), params.items("GroupName", ""));
    for id in &ids {
        known(region, id)?;
    }
    let any = ids.is_empty() && names.is_empty();
    let wanted = |group: &&Group| any || ids.contains(&group.id.as_str()) || names.contains(&group.name.as_str());
    let mut shown = Vec::new();
    for group in region.groups.values().filter(wanted) {
        let values = |name: &str| match name {
            "group-id" => Some(vec![group.id.clone()]),
            "group-name" => Some(vec![group.name.clone()]),
            "vpc-id" => Some(vec![group.vpc_id.clone()]),
            "ip-permission.cidr" => Some(peers(group, false)),
            "egress.ip-permission.cidr" => Some(peers(group, true)),
            _ => None,
        };
        if filters.want(&group.tags, values)? {
            shown.push(Node::Fields(vec![
                ("ownerId", Node::text(account)),
                ("groupId", Node::text(&group.id)),
                ("groupName", Node::text(&group.name)),
                ("groupDescription", Node::text(&group.description)),
                ("vpcId", Node::text(&group.vpc_id)),
                ("ipPermissions", permissions(group, false)),
                ("ipPermissionsEgress", permissions(group, true)),
                ("tagSet", tag_set(&group.tags)),
            ]));
        }
    }
    page(params, "securityGroupInfo", shown)
}

pub(super) fn describe_rules(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters, account) = (call.params, Filters::of(call.params), call.world.account);
    let region = call.here()?;
    let asked = params.items("SecurityGroupRuleId", "");
    let every = || region.groups.values().flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
    if let Some(missing) = asked.iter().find(|id| !every().any(|(_, rule)| rule.id == **id)) {
        let sentence = format!("The security group rule ID '{missing}' does not exist");
        return Err(ApiError::bad_request("InvalidSecurityGroupRuleId.NotFound", sentence));
    }
    let mut shown = Vec::new();
    for (group, rule) in every().filter(|(_, rule)| asked.is_empty() || asked.contains(&rule.id.as_str())) {
        let values = |name: &str| match name {
            "group-id" => Some(vec![group.id.clone()]),
            "security-group-rule-id" => Some(vec![rule.id.clone()]),
            _ => None,
        };
        if filters.want(&Tags::new(), values)? {
            shown.push(rule_node(&group.id, account, rule));
        }
    }
    page(params, "securityGroupRuleSet", shown)
}
