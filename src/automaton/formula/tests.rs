use super::*;

/// Atoms below 50 are free, those from 50 on their complements, the others are ranges of counts below 10.
impl Alternative for u32 {
    fn complement(self) -> Option<Self> {
        (self < 100).then(|| (self + 50) % 100)
    }

    fn implies_others(self) -> bool {
        false
    }

    fn implies(self, _: Self) -> bool {
        false
    }

    fn range(self) -> Option<Range> {
        let digit = |n: u32| if n == 9 { u32::MAX } else { n };
        (self >= 100).then(|| Range { min: self / 10 % 10, max: digit(self % 10) })
    }

    fn within(range: Range) -> Self {
        100 + 10 * range.min + range.max.min(9)
    }
}

fn holds(f: &Formulas<u32>, formula: Formula, bits: u32, count: u32) -> bool {
    f.evaluate(formula, &mut |a| match a.range() {
        Some(r) => r.contains(count),
        None => (bits >> (a % 50) & 1 == 1) == (a < 50),
    })
}

#[test]
fn constants_fold_and_operands_merge() {
    let mut f = Formulas::new();
    let (a, b, c) = (f.atom(1u32), f.atom(2), f.atom(3));
    assert_eq!(f.and([a, ALWAYS]), a);
    assert_eq!(f.and([a, NEVER]), NEVER);
    assert_eq!(f.or([a, NEVER, a]), a);
    let (ab, ba) = (f.and([a, b]), f.and([b, a]));
    assert_eq!(ab, ba);
    let (abc, nested) = (f.and([a, b, c]), f.and([ab, c]));
    assert_eq!(abc, nested);
}

#[test]
fn an_implied_operand_is_absorbed() {
    let mut f = Formulas::new();
    let (a, b, c) = (f.atom(1u32), f.atom(2), f.atom(3));
    let ab = f.and([a, b]);
    assert_eq!(f.or([a, ab]), a);
    let abc = f.and([a, b, c]);
    assert_eq!(f.or([ab, abc]), ab);
    let a_or_b = f.or([a, b]);
    assert_eq!(f.and([a, a_or_b]), a);
    let kept = f.or([ab, c]);
    assert_ne!(kept, c);
}

#[test]
fn ranges_of_counts_merge() {
    let mut f = Formulas::new();
    let (a, b) = (f.atom(1u32), f.atom(2));
    let range = |f: &mut Formulas<u32>, min, max| f.atom(u32::within(Range { min, max }));
    let (low, mid, high) = (range(&mut f, 0, 3), range(&mut f, 2, 5), range(&mut f, 4, u32::MAX));
    let far = range(&mut f, 7, 8);
    assert_eq!(f.or([low, high]), ALWAYS);
    assert_eq!(f.and([low, high]), NEVER);
    assert_eq!(f.or([low, mid]), range(&mut f, 0, 5));
    assert_eq!(f.and([low, mid]), range(&mut f, 2, 3));
    assert!(matches!(f.or([low, far]), either if f.node(either) == &Node::Or([low, far].into())));
    // An alternative that holds on fewer counts is absorbed, however it is restricted further.
    let (a_mid, a_low, within) = (f.and([a, mid]), f.and([a, low]), range(&mut f, 1, 6));
    assert_eq!(f.or([within, a_mid]), within);
    assert_eq!(f.or([a_low, a_mid]), {
        let all = range(&mut f, 0, 5);
        f.and([a, all])
    });
    let a_high = f.and([a, high]);
    assert_eq!(f.or([a_low, a_high, b]), f.or([a, b]));
    let or_mid = f.or([a, within]);
    assert_eq!(f.and([mid, or_mid]), mid);
}

#[test]
fn random_formulas_keep_their_meaning() {
    let mut random = 1u64;
    let mut below = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    let mut f = Formulas::new();
    for _ in 0..2_000 {
        let mut known: Vec<(Formula, Vec<bool>)> = Vec::new();
        let judge =
            |f: &Formulas<u32>, g| (0..8 * 12).map(|i| holds(f, g, i % 8, i / 8)).collect::<Vec<bool>>();
        for _ in 0..5 {
            let (x, y) = (below(9) as u32, below(10) as u32);
            let range = Range { min: x.min(y), max: if x.max(y) == 9 { u32::MAX } else { x.max(y) } };
            let a = if below(2) == 0 { below(3) as u32 + 50 * below(2) as u32 } else { u32::within(range) };
            let g = f.atom(a);
            known.push((g, judge(&f, g)));
        }
        for _ in 0..8 {
            if below(3) == 0 {
                // Pairs of free atoms and their complements, some of them restricted the same way.
                let wanted = below(2) == 0;
                let mut pairs = Vec::new();
                let mut tables = Vec::new();
                for _ in 0..2 + below(3) {
                    let (a, b) = (below(3) as u32, below(3) as u32);
                    let mut both = |positive: bool| {
                        let at = |n: u32| if positive { n } else { n + 50 };
                        let (a, b) = (f.atom(at(a)), f.atom(at(b)));
                        if positive { f.and([a, b]) } else { f.or([a, b]) }
                    };
                    pairs.push((both(true), both(false)));
                    tables.push(judge(&f, pairs[pairs.len() - 1].0));
                }
                let made = f.one(pairs, wanted);
                let want: Vec<bool> =
                    (0..8 * 12).map(|i| (tables.iter().filter(|t| t[i]).count() == 1) == wanted).collect();
                assert_eq!(judge(&f, made), want, "{:?}", f.node(made));
                known.push((made, want));
                continue;
            }
            let picked: Vec<usize> = (0..2 + below(2)).map(|_| below(known.len() as u64) as usize).collect();
            let conjunction = below(2) == 0;
            let operands: Vec<Formula> = picked.iter().map(|&i| known[i].0).collect();
            let made = if conjunction { f.and(operands) } else { f.or(operands) };
            let want: Vec<bool> = (0..8 * 12)
                .map(|i| {
                    let mut all = picked.iter().map(|&p| known[p].1[i]);
                    if conjunction { all.all(|b| b) } else { all.any(|b| b) }
                })
                .collect();
            assert_eq!(judge(&f, made), want, "{:?}", f.node(made));
            known.push((made, want));
        }
    }
}

#[test]
fn mapping_atoms_agrees_with_evaluation() {
    let mut f = Formulas::new();
    let atoms: Vec<_> = (0..4u32).map(|i| f.atom(i)).collect();
    let left = f.and([atoms[0], atoms[1]]);
    let right = f.or([atoms[2], atoms[3]]);
    let all = f.or([left, right]);
    for bits in 0..16u32 {
        let want = f.evaluate(all, &mut |a| bits >> a & 1 == 1);
        let got = f.map(all, &mut |_, a| Formula::from(bits >> a & 1 == 1));
        assert_eq!(got.constant(), Some(want));
    }
}
