pub struct Divergence;
pub fn differential() {}
