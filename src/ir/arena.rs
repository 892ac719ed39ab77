//! Hash-consing builder of [`Ir`](super::Ir).

/// Placeholder until the builder is written.
pub struct IrBuilder;
