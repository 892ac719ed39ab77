//! Sampling, specified to the bit: shared by the reference, the CPU, the emulated and the CUDA sampler.
//!
//! The problem: the same seed and the same logits must give the same token on every backend, in any
//! row, in any batch, however a row of logits is split over threads, blocks or ranks. Floating-point
//! sums depend on their order, so there are none here. Weights are integers, integers are summed,
//! and everything in `f32` is one value at a time, in a fixed sequence of IEEE operations with
//! explicit fused multiply-adds. This module holds that arithmetic and the types that go in and out;
//! it contains no loop over a row.
//!
//! # What is computed
//!
//! `z` is a row of `width` logits. A logit that is not in the legal set, NaN or −∞ is *illegal*;
//! +∞ is [`f32::MAX`] and −0 is +0 ([`canonical`]). A *tile* is [`TILE`] consecutive ids, starting at a
//! multiple of [`TILE`]. `s = f32(log2(e) / T)`; ids are ordered by logit, greatest first, then by id.
//!
//! ```text
//! z_i  ← canonical(logit_i) for legal i; + bias; repetition, frequency, presence   adjust
//! a_t  = max z_i over tile t                                                       TileRecord::max
//! w_i  = trunc(2^30 · P((z_i − a_t)·s)),  P(x) ≈ 2^x                               weight
//! z*   = max a_t
//! mass(S, t) = ⌊S · P24((a_t − z*)·s) · 2^10⌋,  0 if (a_t − z*)·s < −40            mass
//! kept = all legal ids
//! min-p:  keep (z_i − z*)·s ≥ log2(min_p)
//! top-k:  keep the first k in order
//! top-p:  total = Σ_t mass(Σ_{i∈t kept} w_i, t);  keep the shortest prefix in order with
//!         Σ_i mass(w_i, t(i)) ≥ max(1, ⌊total · ⌊2^32·p⌋ / 2^32⌋), or all if there is none
//! S_t  = Σ_{i∈t kept} w_i;   M_t = mass(S_t, t)
//! tile:   the first t with M_0 + … + M_t > ⌊draw.tile · ΣM / 2^64⌋                  pick_tile
//! token:  the first i of it, in id order, with w + … + w_i > ⌊draw.token · S_t / 2^64⌋   pick_token
//! ```
//!
//! A truncation that removes nothing changes nothing: weights do not depend on what is kept. All
//! three truncations are prefixes of the one order, so what is kept is described by its last member
//! ([`Cutoff`]).
//!
//! Sizes: `w ≤ 2^30`, `S ≤ 2^40`, one token at `z*` has mass 2^40, so the total of a row fits 64 bits
//! up to [`MAX_WIDTH`] ids, and a tile counts as long as its maximum is within 40 bits of the row's.
//!
//! Log-probabilities are natural, of the legal distribution at T before truncation (at T = 1 when
//! T = 0): `ln 2 · ((z_i − z*)·s − log2(Σ_t M_t / 2^40))`, with `M_t` over all legal ids.

mod counts;
mod legal;
mod logits;
mod order;
mod params;
mod philox;
mod sampled;
mod tile;
mod weight;

pub use counts::{TokenCount, TokenCounts, biased, penalised};
pub use legal::LegalSet;
pub use logits::{Logits, LogitsBatch};
pub use order::{Cutoff, ILLEGAL, canonical, key, key_to_f32, order, order_to_cutoff};
pub use params::{RowParams, SamplingParams, TOP_P_OFF};
pub use philox::{Draw, philox4x32_10, stream};
pub use sampled::{Sampled, no_legal_token};
pub use tile::{MAX_WIDTH, TILE, TileRecord, UNIT_BITS, mass, pick_tile, pick_token, scale_draw, total_mass};
pub use weight::{
    Scale24, WEIGHT_BITS, exp2, log_probability, log2_ratio, log2_unit, scale24, truncate, weight, weight_f32,
};
