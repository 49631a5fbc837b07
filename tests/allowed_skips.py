"""Why a test may be skipped."""

# The one list of reasons for which a test may be skipped; any other skip is a failure.
ALLOWED_SKIPS = (
    r"needs (torch|transformers)|could not import 'torch",
    r"needs JAX|could not import 'jax",
    r"needs a GPU",
    r"needs \.\./shared",
    r"needs a browser",
)
