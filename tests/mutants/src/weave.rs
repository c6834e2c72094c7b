//! Puts all mutants into the sources at once, each behind a switch of its own.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Arm, BinOp, Block, Expr, ExprMatch, ImplItemFn, ItemFn, Pat, Stmt, TraitItemFn, parse_quote, parse_str};

use crate::Mutant;

/// The file with every mutant of `left_in` behind `crate::mutant::on(its number)`, and which of them found their place.
pub fn weave(source: &str, mutants: &[&Mutant], left_in: &BTreeSet<usize>) -> syn::Result<(String, BTreeSet<usize>)> {
    let mut file = syn::parse_file(source)?;
    let mut at: BTreeMap<Place, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants.iter().filter(|m| left_in.contains(&m.number)) {
        at.entry((mutant.span.start.line, mutant.span.start.column)).or_default().push(mutant);
    }
    let mut weaver = Weaver { at, placed: BTreeSet::new(), covered: false };
    weaver.visit_file_mut(&mut file);
    Ok((prettyplease::unparse(&file), weaver.placed))
}

/// Line and column, both from 1.
type Place = (usize, usize);

fn place(span: Span) -> Place {
    let LineColumn { line, column } = span.start();
    (line, column + 1)
}

struct Weaver<'a> {
    at: BTreeMap<Place, Vec<&'a Mutant>>,
    placed: BTreeSet<usize>,
    /// Whether the match that is being gone through has an arm for all else.
    covered: bool,
}

impl Weaver<'_> {
    fn take(&mut self, span: Span, genre: &str) -> Vec<(usize, String)> {
        let found = self.at.get(&place(span)).into_iter().flatten().filter(|m| m.genre == genre);
        let found: Vec<_> = found.map(|m| (m.number, m.replacement.clone())).collect();
        self.placed.extend(found.iter().map(|(number, _)| *number));
        found
    }

    fn body(&mut self, block: &mut Block) {
        let Some(first) = block.stmts.first().map(syn::spanned::Spanned::span) else { return };
        let returns = self.take(first, "FnValue").into_iter().filter_map(|(number, value)| {
            let value = parse_str::<Expr>(&value).ok()?;
            Some(parse_quote!(if crate::mutant::on(#number) { return #value; }))
        });
        let returns: Vec<Stmt> = returns.collect();
        visit_mut::visit_block_mut(self, block);
        block.stmts.splice(0..0, returns);
    }
}

/// Whether it has a `let` that only a condition may have: such a chain cannot stand in two branches.
fn binds(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => binds(&binary.left) || binds(&binary.right),
        _ => false,
    }
}

impl VisitMut for Weaver<'_> {
    fn visit_item_fn_mut(&mut self, item: &mut ItemFn) {
        self.body(&mut item.block);
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut ImplItemFn) {
        self.body(&mut item.block);
    }

    fn visit_trait_item_fn_mut(&mut self, item: &mut TraitItemFn) {
        if let Some(block) = &mut item.default {
            self.body(block);
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        // Taken by the places in the source, before anything in it is made anew.
        let found = match expr {
            Expr::Binary(binary) if !binds(&binary.left) && !binds(&binary.right) => {
                self.take(binary.op.span(), "BinaryOperator")
            }
            Expr::Unary(unary) => self.take(unary.op.span(), "UnaryOperator"),
            _ => Vec::new(),
        };
        visit_mut::visit_expr_mut(self, expr);
        for (number, other) in found {
            // One operator can be changed in several ways: then it is behind a switch already.
            let changed: Expr = match original(expr) {
                Expr::Unary(unary) => (*unary.expr).clone(),
                Expr::Binary(binary) => {
                    let Ok(op) = parse_str::<BinOp>(&other) else { continue };
                    let (left, right) = (&binary.left, &binary.right);
                    // `x as u64 < y` would be the beginning of a type.
                    parse_quote!((#left) #op (#right))
                }
                _ => continue,
            };
            let kept = expr.clone();
            // Bare, one that begins with a block would be a statement there.
            *expr = parse_quote!((if crate::mutant::on(#number) { (#changed) } else { (#kept) }));
        }
    }

    fn visit_expr_match_mut(&mut self, matched: &mut ExprMatch) {
        let outer = std::mem::replace(&mut self.covered, matched.arms.iter().any(is_for_all_else));
        visit_mut::visit_expr_match_mut(self, matched);
        self.covered = outer;
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        // One behind a switch covers nothing: without an arm for all else the compiler refuses the match.
        let can_go = self.covered && !is_for_all_else(arm);
        let deleted = if can_go { self.take(arm.span(), "MatchArm") } else { Vec::new() };
        let guarded = arm.guard.as_ref().map(|(_, guard)| guard.span());
        let guards = guarded.map(|span| self.take(span, "MatchArmGuard")).unwrap_or_default();
        visit_mut::visit_arm_mut(self, arm);
        for (number, always) in guards {
            if let Some((_, guard)) = &mut arm.guard {
                let kept = guard.clone();
                *guard = match always.as_str() {
                    "true" => parse_quote!((crate::mutant::on(#number) || #kept)),
                    _ => parse_quote!((!crate::mutant::on(#number) && #kept)),
                };
            }
        }
        for (number, _) in deleted {
            let off: Box<Expr> = match &arm.guard {
                Some((_, guard)) => parse_quote!(!crate::mutant::on(#number) && #guard),
                None => parse_quote!(!crate::mutant::on(#number)),
            };
            arm.guard = Some((syn::token::If::default(), off));
        }
    }
}

/// Whether it takes whatever no other arm takes.
fn is_for_all_else(arm: &Arm) -> bool {
    let anything = match &arm.pat {
        Pat::Wild(_) => true,
        Pat::Ident(name) => name.subpat.is_none() && name.ident.to_string().starts_with(char::is_lowercase),
        _ => false,
    };
    anything && arm.guard.is_none()
}

/// What stands in the last branch of the switches.
fn original(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => match &*paren.expr {
            Expr::If(switch) => match switch.else_branch.as_ref().map(|(_, last)| &**last) {
                Some(Expr::Block(block)) => match block.block.stmts.last() {
                    Some(Stmt::Expr(Expr::Paren(kept), None)) => original(&kept.expr),
                    _ => expr,
                },
                _ => expr,
            },
            _ => expr,
        },
        _ => expr,
    }
}
