"""What holds for every augmentation, and how estimators check what they are given."""

import pickle
import sys
from collections import namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import sklearn_deep
from sklearn_deep import (
    Augmentation,
    AutoAugment,
    Brightness,
    Contrast,
    Crop,
    CutMix,
    Erasing,
    FeatureMask,
    Flip,
    GaussianNoise,
    InvalidParameterError,
    Jitter,
    MagnitudeScaling,
    MissingDependencyError,
    Mixup,
    Policy,
    RandAugment,
    Rotation,
    Scaling,
    SegmentPermutation,
    SwapNoise,
    TimeShift,
    TimeWarp,
    Translation,
    TrivialAugment,
    WindowSlice,
)
from sklearn_deep.augmentation._base import KINDS, check_augmentation
from sklearn_deep.data._batches import Batch

EVERY = [
    value
    for name in sklearn_deep.__all__
    if isinstance(value := getattr(sklearn_deep, name), type)
    and issubclass(value, Augmentation)
    and value is not Augmentation
]
# AutoAugment is replaced by what its search finds.
CLASSES = [cls for cls in EVERY if cls is not AutoAugment]
CASES = [(cls, kind) for cls in CLASSES for kind in KINDS if kind in cls.kinds]

SUB_POLICIES = {
    "table": [[("gaussian_noise", 1.0, 0.5), ("swap_noise", 0.5, 0.5)]],
    "series": [[("time_warp", 1.0, 0.5)], [("jitter", 0.7, 0.5)]],
    "images": [[("rotation", 1.0, 0.5), ("flip", 0.5, 0.5)], [("erasing", 1.0, 1.0)]],
}

NOTHING = [
    *[
        (GaussianNoise, {"std": 0}),
        (Jitter, {"std": 0}),
        (MagnitudeScaling, {"std": 0}),
    ],
    *[(FeatureMask, {"rate": 0.0}), (SwapNoise, {"rate": 0})],
    *[(Mixup, {"alpha": 0}), (CutMix, {"alpha": 0.0})],
    *[(Rotation, {"degrees": 0}), (Translation, {"share": 0})],
    *[(Scaling, {"scale": (1, 1)}), (Scaling, {"scale": [1.0, 1.0]})],
    *[(Brightness, {"brightness": 0}), (Contrast, {"contrast": 0})],
    *[(Crop, {"padding": 0}), (Erasing, {"area": (0, 0)})],
    (Flip, {"horizontal": False, "vertical": False}),
    *[(TimeShift, {"share": 0}), (TimeWarp, {"std": 0})],
    *[(WindowSlice, {"share": 1}), (SegmentPermutation, {"n_segments": 1})],
    *[(RandAugment, {"magnitude": 0}), (TrivialAugment, {"operations": ["identity"]})],
    (Policy, {"sub_policies": [[]]}),
]

_NEGATIVE, _SHARE = [-0.1, None, "1", np.nan, np.inf], [-0.1, 1.1, None, "1", np.nan]
_PAIR = [(0.5, 0.2), (-1, 0.5), 0.5, (0.1,), (0.1, 0.2, 0.3), None, (0.1, np.nan)]
_COUNT, _MODE = [0, 1.5, None, True], ["circle", None, 1]
_NAMES = [[], ["solarize"], "rotation", 1]
WRONG = {
    AutoAugment: {
        "n_candidates": _COUNT,
        "n_epochs": _COUNT,
        "n_sub_policies": _COUNT,
        "n_operations": _COUNT,
        "operations": _NAMES,
        "validation_share": [0, 1, -0.1, None],
    },
    Brightness: {"brightness": _NEGATIVE},
    Contrast: {"contrast": _SHARE},
    Crop: {"padding": [-1, 0.5, None], "padding_mode": [*_MODE, "circular"]},
    CutMix: {"alpha": _NEGATIVE},
    Erasing: {"area": [*_PAIR, (0, 1.5)], "ratio": [*_PAIR, (0, 1)], "value": [None]},
    FeatureMask: {"rate": _SHARE, "value": [None, np.nan, "0"]},
    Flip: {"horizontal": [1, None], "vertical": [0, "yes"]},
    GaussianNoise: {"std": _NEGATIVE},
    Jitter: {"std": _NEGATIVE},
    MagnitudeScaling: {"std": _NEGATIVE},
    Mixup: {"alpha": _NEGATIVE},
    Policy: {
        "sub_policies": [
            *([], None, [["rotation"]], [("rotation", 0.5, 0.5)], "rotation", 3),
            *([[("solarize", 0.5, 0.5)]], [[("rotation", 1.5, 0.5)]]),
            *([[("rotation", 0.5, -1)]], [[("rotation", 0.5)]]),
        ]
    },
    RandAugment: {"n_operations": _COUNT, "magnitude": _SHARE, "operations": _NAMES},
    Rotation: {"degrees": [*_NEGATIVE, 181], "padding_mode": _MODE},
    Scaling: {"scale": [*_PAIR, (0, 1)], "padding_mode": _MODE},
    SegmentPermutation: {"n_segments": _COUNT},
    SwapNoise: {"rate": _SHARE},
    TimeShift: {"share": _SHARE, "padding_mode": _MODE},
    TimeWarp: {"std": _NEGATIVE, "n_knots": [1, 2.5, None]},
    Translation: {"share": _SHARE, "padding_mode": _MODE},
    TrivialAugment: {"operations": _NAMES},
    WindowSlice: {"share": [*_SHARE, 0]},
}


def make(cls, kind="table", **params):
    """The augmentation with its defaults."""
    if cls is Policy:
        params = {"sub_policies": SUB_POLICIES[kind], **params}
    return cls(**params)


def same(one, other):
    return all(
        (a is None and b is None) or torch.equal(a, b)
        for a, b in zip(one, other, strict=True)
    )


def copied(batch):
    return Batch(*(None if part is None else part.clone() for part in batch))


def cases(*but):
    return pytest.mark.parametrize(
        ("cls", "kind"), [case for case in CASES if case[0] not in but]
    )


@pytest.mark.oldest
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@cases()
def test_shapes_and_dtypes_are_kept_and_rows_change(cls, kind, dtype, batch_of, seeded):
    batch = batch_of(kind, dtype, weighted=True)
    changed = make(cls, kind).augment(batch, seeded())
    for before, after in zip(batch, changed, strict=True):
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
        assert torch.isfinite(after).all()
    assert not torch.equal(changed.x, batch.x)


@cases()
def test_the_batch_that_came_in_is_left_as_it_is(cls, kind, batch_of, seeded):
    batch = batch_of(kind, weighted=True)
    before = copied(batch)
    make(cls, kind).augment(batch, seeded())
    assert same(batch, before)


@cases()
def test_the_generator_alone_decides(cls, kind, batch_of, seeded):
    batch, augmentation = batch_of(kind, weighted=True), make(cls, kind)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    first, again, other = (augmentation.augment(batch, seeded(k)) for k in (0, 0, 1))
    assert same(first, again)
    assert not torch.equal(first.x, other.x)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state[1])


# These mix rows, which are all equal there.
@cases(Mixup, CutMix, SwapNoise)
def test_each_row_has_a_draw_of_its_own(cls, kind, batch_of, seeded):
    row = batch_of(kind).x[:1]
    n = 64
    batch = Batch(row.expand(n, *row.shape[1:]).clone(), torch.zeros(n, 1), None)
    changed = make(cls, kind).augment(batch, seeded()).x.flatten(1)
    assert len(torch.unique(changed, dim=0)) > (1 if cls is Flip else 5)


@cases()
def test_with_no_chance_every_row_stays(cls, kind, batch_of, seeded):
    batch = batch_of(kind, weighted=True)
    augmentation = make(cls, kind, probability=0)
    assert same(augmentation.augment(batch, seeded()), batch)


# Some of the rows that these change come out as they were.
@cases(Flip, TrivialAugment, RandAugment, Policy)
def test_the_probability_is_the_share_of_rows_that_change(cls, kind, batch_of, seeded):
    batch = batch_of(
        kind, shape={"table": (600, 7)}.get(kind, (600, 2, 9, 9)[: KINDS[kind]])
    )
    batch = Batch(batch.x, torch.rand(600, 1, generator=seeded()), None)
    share = [
        (make(cls, kind, probability=p).augment(batch, seeded()).x != batch.x)
        .flatten(1)
        .any(1)
        .double()
        .mean()
        .item()
        for p in (0.3, 1.0)
    ]
    assert share[0] == pytest.approx(0.3 * share[1], abs=0.07)


@pytest.mark.parametrize(("cls", "params"), NOTHING)
def test_strength_zero_is_the_identity(cls, params, batch_of, seeded):
    for kind in cls.kinds:
        batch = batch_of(kind, weighted=True)
        assert same(cls(**params).augment(batch, seeded()), batch)


def test_every_class_is_tested_at_strength_zero():
    assert {cls for cls, _ in NOTHING} == set(CLASSES)


@pytest.mark.oldest
@pytest.mark.parametrize("cls", EVERY)
def test_it_is_cloned_pickled_set_and_shown_as_an_estimator_is(cls):
    augmentation = make(cls)
    params = augmentation.get_params()
    assert set(params) == set(cls._rules)
    assert clone(augmentation).get_params() == params
    assert pickle.loads(pickle.dumps(augmentation)).get_params() == params
    assert eval(repr(augmentation), {cls.__name__: cls}).get_params() == params
    for name in params:
        assert clone(augmentation).set_params(**{name: 1}).get_params()[name] == 1


@pytest.mark.parametrize("cls", EVERY)
def test_the_defaults_are_allowed(cls):
    for kind in cls.kinds:
        assert check_augmentation("Net", make(cls, kind), kind)[0].get_params()


@pytest.mark.parametrize("cls", EVERY)
def test_every_parameter_is_checked(cls):
    wrong = {"probability": _SHARE, **WRONG[cls]}
    if cls is AutoAugment:
        del wrong["probability"]
    assert set(wrong) == set(cls().get_params() if cls is not Policy else wrong)
    for name, values in wrong.items():
        for value in values:
            augmentation = make(cls, "images").set_params(**{name: value})
            with pytest.raises(
                InvalidParameterError, match=f"{name!r}.*{cls.__name__}"
            ):
                check_augmentation("Net", augmentation, min(cls.kinds))


def test_what_is_no_augmentation_is_refused_by_name():
    for value in ("noise", 3, [GaussianNoise(), None], GaussianNoise):
        with pytest.raises(InvalidParameterError, match=r"'augmentation'.*Net.*Got"):
            check_augmentation("Net", value, "table")


def test_an_augmentation_of_other_rows_is_refused():
    with pytest.raises(
        InvalidParameterError, match=r"table rows.*Rotation\(\).*images"
    ):
        check_augmentation("Net", [GaussianNoise(), Rotation()], "table")


def test_none_one_and_several_come_as_a_tuple():
    one, two = GaussianNoise(), Mixup()
    assert check_augmentation("Net", None, "table") == ()
    assert check_augmentation("Net", one, "table") == (one,)
    assert check_augmentation("Net", [one, two], "table") == (one, two)
    assert check_augmentation("Net", (), "table") == ()


class Offset(Augmentation):
    kinds = frozenset({"table"})

    def __init__(self, size=0.1):
        self.size = size

    def augment(self, batch, generator):
        return batch.with_x(batch.x + self.size)


def test_a_users_own_is_as_good_as_ours(batch_of, seeded):
    (offset,) = check_augmentation("Net", Offset(2.0), "table")
    batch = batch_of()
    assert torch.equal(offset.augment(batch, seeded()).x, batch.x + 2)
    assert clone(offset).get_params() == {"size": 2.0}


Padded = namedtuple("Padded", "x lengths")


@pytest.mark.parametrize("cls", [Jitter, MagnitudeScaling])
@pytest.mark.parametrize("probability", [0.5, 1.0])
def test_series_of_unequal_lengths_change_and_their_padding_does_not(
    cls, probability, batch_of, seeded
):
    batch = batch_of("series")
    x = batch.x.mT  # (n, time, channel), as networks get them
    lengths = torch.tensor([1, 2, 30, *range(3, 12)])
    inside = torch.arange(30)[:, None] < lengths[:, None, None]
    padded = batch.with_x(Padded(torch.where(inside, x, 0), lengths))
    augmentation = cls(std=0.5, probability=probability)
    changed = augmentation.augment(padded, seeded()).x
    assert torch.equal(changed.lengths, lengths)
    assert (changed.x.masked_select(~inside) == 0).all()
    assert not torch.equal(changed.x, padded.x.x)
    # What stands in the padding has no part in it.
    other = batch.with_x(Padded(torch.where(inside, x, 1e6), lengths))
    elsewhere = augmentation.augment(other, seeded()).x.x
    assert torch.allclose(torch.where(inside, elsewhere, 0), changed.x)


def test_one_factor_a_channel_is_drawn_for_unequal_series_too(seeded):
    x = torch.ones(3, 8, 2)
    batch = Batch(Padded(x, torch.tensor([8, 5, 3])), torch.zeros(3, 1), None)
    factor = MagnitudeScaling(0.3).augment(batch, seeded()).x.x
    assert torch.equal(factor[:, :3], factor[:, :1].expand(3, 3, 2))
    assert len(factor[:, 0].unique()) == 6
    flat = Batch(Padded(x[..., 0], batch.x.lengths), batch.y, None)
    assert MagnitudeScaling(0.3).augment(flat, seeded()).x.x.shape == (3, 8)


@pytest.mark.parametrize("cls", [Jitter, TimeShift])
def test_tokens_are_refused(cls, seeded):
    tokens = torch.ones(3, 8, dtype=torch.int64)
    batch = Batch(Padded(tokens, torch.tensor([8, 5, 3])), torch.zeros(3, 1), None)
    with pytest.raises(TypeError, match=r"tokens.*augmentation=None"):
        cls().augment(batch, seeded())


@pytest.mark.parametrize(
    "augmentation",
    [
        TimeWarp(),
        TimeShift(0.5),
        WindowSlice(),
        SegmentPermutation(),
        GaussianNoise(0.1),
        TrivialAugment(),
        RandAugment(),
        Policy([[("time_warp", 1.0, 0.5)]]),
    ],
    ids=lambda a: type(a).__name__,
)
def test_the_others_change_the_series_of_each_length_by_themselves(
    augmentation, batch_of, seeded
):
    batch = batch_of("series")
    lengths = torch.tensor([1, 2, 30, 30, *range(4, 12)])
    inside = torch.arange(30)[:, None] < lengths[:, None, None]
    x = torch.where(inside, batch.x.mT, 0)
    changed = augmentation.augment(batch.with_x(Padded(x, lengths)), seeded()).x
    assert changed.x.shape == x.shape
    assert torch.isfinite(changed.x).all()
    assert (changed.x.masked_select(~inside) == 0).all()
    assert not torch.equal(changed.x, x)
    # Those of one length change as a batch of such series does.
    equal = batch.with_x(x[2:4].mT)
    alone = Padded(x[2:4], lengths[2:4])
    assert torch.equal(
        augmentation.augment(equal, seeded()).x.mT,
        augmentation.augment(batch.with_x(alone), seeded()).x.x,
    )


def test_rows_of_unequal_lengths_are_not_mixed(batch_of, seeded):
    batch = batch_of("series")
    padded = batch.with_x(Padded(batch.x, torch.full((12,), 30)))
    with pytest.raises(TypeError, match=r"Mixup.*lengths"):
        Mixup().augment(padded, seeded())


@settings(max_examples=15)
@given(
    n=st.integers(1, 5),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 2**31),
)
@pytest.mark.parametrize("cls", CLASSES)
def test_no_shape_is_too_small(cls, n, sizes, seed):
    for kind in cls.kinds:
        x = torch.rand((n, *sizes)[: KINDS[kind]], generator=torch.Generator())
        batch = Batch(x, torch.ones(n, 2), torch.ones(n))
        changed = make(cls, kind).augment(batch, torch.Generator().manual_seed(seed))
        assert changed.x.shape == x.shape
        assert torch.isfinite(changed.x).all()


@pytest.mark.parametrize("cls", [Rotation, Brightness, TrivialAugment])
def test_a_missing_kornia_is_an_error_that_names_the_extra(
    cls, batch_of, seeded, monkeypatch
):
    monkeypatch.setitem(sys.modules, "kornia", None)
    with pytest.raises(MissingDependencyError, match=r"kornia.*\.\[image\]"):
        cls().augment(batch_of("images"), seeded())


@pytest.mark.parametrize("cls", [Flip, Crop, Erasing, CutMix, GaussianNoise])
def test_these_do_not_need_kornia(cls, batch_of, seeded, monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia", None)
    batch = batch_of("images")
    assert not torch.equal(cls().augment(batch, seeded()).x, batch.x)
