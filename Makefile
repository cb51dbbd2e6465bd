# The commands of the README. `make demo` and `make test` install and fetch what is missing by themselves.
.PHONY: help demo demo-base test soak evidence bench bench-engine bench-training bench-differences bench-scaling bench-explorer bench-steering bench-serve fuzz sanitize format lint data clean

# Seconds that each fuzz target runs.
FUZZ_SECONDS = 60

CROSSCOPE = .build/release/crosscope
SWIFT_FILES = Package.swift Sources Tests

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: ## build, fetch the model, open the explorer on the demo store
	@scripts/setup
	@model=$$(scripts/fetch-model) && swift build -c release --product crosscope \
	  && store=$$(scripts/demo-store) && exec $(CROSSCOPE) explore "$$store" --model "$$model"

demo-base: ## build, fetch Gemma 3 270M, train the second demo's dictionary (once, half an hour), open the explorer on it
	@scripts/setup
	@model=$$(scripts/fetch-model gemma3-270m) && swift build -c release --product crosscope \
	  && store=$$(scripts/demo-base-store $(CROSSCOPE)) && exec $(CROSSCOPE) explore "$$store" --model "$$model"

test: ## check the style and run all tests, with the real model
	@scripts/setup --tests
	@model=$$(scripts/fetch-model) && $(MAKE) --no-print-directory lint && scripts/test "$$model"

soak: ## many programs on one store for minutes, killed and replaced, three times
	@scripts/setup --tests
	@CROSSCOPE_SOAK_CALLS=400 swift test --filter StoreSoakTests

bench: ## measure this machine (CSV)
	@scripts/setup
	@model=$$(scripts/fetch-model) && swift build -c release --product crosscope >&2 \
	  && $(CROSSCOPE) bench --model "$$model"

bench-engine: ## measure the engine against llama.cpp and transformers (installs them; long)
	@scripts/setup
	@scripts/fetch-model >/dev/null && scripts/bench-peers >/dev/null \
	  && swift build -c release --product crosscope >&2 && python3 Benchmarks/engine.py

bench-training: ## measure a training step against PyTorch (installs it; minutes)
	@scripts/setup
	@scripts/fetch-model >/dev/null && scripts/bench-peers >/dev/null \
	  && swift build -c release --product crosscope >&2 && python3 Benchmarks/training.py

bench-differences: ## measure `crosscope differences` against the same comparison in PyTorch (installs it; minutes)
	@scripts/setup
	@model=$$(scripts/fetch-model) && peers=$$(scripts/bench-peers) && swift build -c release --product crosscope >&2 \
	  && python="$${CROSSCOPE_VENV:-$$peers/venv}/bin/python" && "$$python" Benchmarks/differences.py --python "$$python" --model "$$model"

bench-scaling: ## measure Latent Scaling against a dense one in PyTorch (CROSSCOPE_VENV has torch and safetensors)
	@scripts/setup
	@swift build -c release --product crosscope >&2 \
	  && $${CROSSCOPE_VENV:+$$CROSSCOPE_VENV/bin/}python3 Benchmarks/latent_scaling.py

bench-steering: ## measure another strength to both answers against llama.cpp and transformers (installs them; long)
	@scripts/setup
	@model=$$(scripts/fetch-model) && peers=$$(scripts/bench-peers) && swift build -c release --product crosscope >&2 \
	  && "$${CROSSCOPE_VENV:-$$peers/venv}/bin/python" Benchmarks/steering.py --model "$$model"

bench-serve: ## load `crosscope serve` with 50 clients for a minute (CSV)
	@scripts/setup
	@model=$$(scripts/fetch-model) && swift build -c release --product crosscope >&2 \
	  && python3 Benchmarks/serve_load.py --model "$$model"

bench-explorer: ## measure the explorer on a store of the published size, VisiData beside it (10 minutes to make it, 5 GB)
	@scripts/setup
	@swift build -c release --product crosscope >&2 && cache=$$(dirname "$$(scripts/fetch-model)") \
	  && { [ -x "$$cache/visidata/bin/vd" ] || { python3 -m venv "$$cache/visidata" \
	    && "$$cache/visidata/bin/pip" install --quiet visidata==3.4 numpy >&2; }; } \
	  && "$$cache/visidata/bin/python" Benchmarks/explorer.py

fuzz: ## fuzz the file readers, FUZZ_SECONDS each (60)
	@scripts/setup
	@scripts/fuzz $(FUZZ_SECONDS)

sanitize: ## run the tests of what is concurrent under ThreadSanitizer (a build of its own; long)
	@scripts/setup --tests
	@model=$$(scripts/fetch-model) && scripts/sanitize "$$model"

format: ## bring the sources into the project's style
	swift format --in-place --recursive $(SWIFT_FILES)

lint: ## fail where the sources are not in the project's style
	swift format lint --strict --parallel --recursive $(SWIFT_FILES)

evidence: ## measure what single latents do in the demo, by data/evidence-plan.json; a killed run resumes (long)
	@scripts/setup
	@model=$$(scripts/fetch-model) && swift build -c release --product crosscope >&2 \
	  && $(CROSSCOPE) evidence data/demo/demo.crosscope --plan data/evidence-plan.json --model "$$model" --out data/evidence.json --force --markdown

data: ## build the demo's crosscoder and store again, with its columns, tags and limit (long)
	@scripts/setup
	@for f in data/corpus/*.jsonl.gz; do [ -f "$${f%.gz}" ] || gunzip --keep "$$f"; done
	@scripts/fetch-model >/dev/null && swift build -c release --product crosscope && $(CROSSCOPE) build data/demo.json \
	  && python3 data/recipe/heldout_chats.py \
	  && $(CROSSCOPE) triggers data/demo/demo.crosscope --save --prompts data/prompts/choice.jsonl --prompts data/prompts/insisting-choice.jsonl \
	    --group refusal=refusal_malicious,refusal_privacy,refusal_hateful,refusal_misinformation \
	  && python3 data/recipe/tag_latents.py && $(CROSSCOPE) calibrate data/demo/demo.crosscope

clean: ## remove what was built; the model's cache stays
	swift package clean
