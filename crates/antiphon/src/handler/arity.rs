/// Calls a macro for functions of up to eight arguments.
macro_rules! for_each_arity {
    ($implement:ident) => {
        $implement!();
        $implement!(A);
        $implement!(A, B);
        $implement!(A, B, C);
        $implement!(A, B, C, D);
        $implement!(A, B, C, D, E);
        $implement!(A, B, C, D, E, G);
        $implement!(A, B, C, D, E, G, H);
        $implement!(A, B, C, D, E, G, H, I);
    };
}

pub(super) use for_each_arity;
