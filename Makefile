PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-cpus check counts settings claims fuzz clean

# The main job on real images: plain and residual nets of two depths on handwritten digits, three of each, and a page
# with the verdicts. A shortened recipe: a longer one shows the same with deeper nets.
demo: .venv/train
	$(BIN)/resvision study degradation --data digits --depths 20,32 --seeds 3 --epochs 8 --out runs/demo

test: .venv/test
	$(BIN)/python -m pytest -n 2

# The suite with the kernels of torch and of oneDNN that two older kinds of CPU would choose.
test-cpus: .venv/test
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/python -m pytest -n 2
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 $(BIN)/python -m pytest -n 2

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What `resvision list --table` shows, counted anew: after a net has come or changed.
counts: .venv/train
	$(BIN)/python benchmarks/count_models.py

# What `resvision settings`, `resvision recipes` and completion show, and docs/settings.md: after a setting, an option
# of a net, a recipe or a docstring about one has changed.
settings: .venv/train
	$(BIN)/python benchmarks/list_settings.py

# The claims book in both languages: after results of a study, or what an entry says, has changed.
claims: .venv/train
	$(BIN)/resvision study claims --out docs/claims.md
	$(BIN)/resvision study claims --language ko --out docs/claims.ko.md

# Mutated files into every parser, two minutes each, ten for COCO, tar and run.json; what fails is kept in found/.
fuzz: .venv/test
	$(BIN)/python benchmarks/fuzz_all.py --seconds 120 --long 600 --save found

clean:
	rm -rf .venv build dist

.venv/train: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train]'
	touch $@

.venv/test: .venv/train
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
