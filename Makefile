# tapegrad: `make ncf` builds the program, `make test` runs the tests (they need Criterion).
#
#   make ncf                the program ./ncf
#   make lib                build/lib*.a, one archive a folder
#   make test               all tests; SANITIZE=1 with AddressSanitizer and UBSan
#   make coverage           fail where an error line is reached by no test (gcov)
#   make exercise           check models/exercise/my_simplecf.c, which is yours to write
#   make test-torch         PyTorch's own samples of every op, run in both (needs python3-torch)
#   make fuzz-torch         random programs, run in both; SECONDS=60 SEED=1
#   make gradcheck          the worst error of every op's and model's gradients
#   make install            program, library, headers and pkg-config file under PREFIX [/usr/local];
#                           DESTDIR is put before it, for packagers
#   make uninstall          remove what make install put there, with the same PREFIX and DESTDIR
#   make bench              speed on this machine
#   make bench-compare      the same job in PyTorch, run in turn (needs python3-torch)
#   make bench-ops          every op beside PyTorch's; OPS="softmax add" names some, SIZES="64x64"
#                           gives others, QUICK=1 compares the results alone, PYTHON="A B" takes the
#                           faster of two interpreters
#   make bench-models       training steps of ten models beside PyTorch's, with peak memory;
#                           MODELS="gpt lenet" names some, QUICK=1 and PYTHON as above
#   make bench-instructions fail where fixed work takes more instructions than recorded (valgrind)
#   make ml-100k            fetch MovieLens 100K into ./ml-100k (needs a network)
#   make size               lines of code per folder
#
# CC, CPPFLAGS, CFLAGS and LDFLAGS may be given; what was built with other ones is built again. To
# keep both, give each a folder of its own, as in `make CC=clang BUILD=build/clang`.

.PHONY: all lib install uninstall test test-torch fuzz-torch coverage exercise gradcheck bench \
        bench-compare bench-ops bench-models bench-instructions ml-100k size floors clean FORCE
.SECONDARY:
all: ncf

# V=1 shows the commands.
say = $(if $(V),,@echo "  $(1) $@";)
CFLAGS ?= -O2 -g
BUILD ?= build
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
ALL_CFLAGS = -std=c11 $(WARNINGS) -pthread $(CFLAGS)
ALL_CPPFLAGS = -I. -D_POSIX_C_SOURCE=200809L -MMD -MP $(CPPFLAGS)
LDLIBS := -lm -pthread

ifdef SANITIZE
override BUILD := $(BUILD)/sanitize
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# FLAGS_x: further flags for the files of folder x, or for x.c.
# Kernels: nothing is fused, except where set.inc says so; errno and floating-point traps would
# forbid vector sqrt and selects. No further relaxation: NaN and infinity keep their meaning.
# -Wno-pass-failed: clang would warn of loops that stay scalar, as under a sanitizer they do. No gcov:
# loops that count do not become vectors, and there are no error lines in them. -g1: no debugger finds
# the variables of such loops, and looking for them takes a third of the time. -fPIC costs kernels
# nothing, and both libraries take the same objects of them, which are slow to compile.
FLAGS_kernels := -O2 $(if $(filter -g%,$(CFLAGS)),-g1) -ffp-contract=off -fno-math-errno \
    -fno-trapping-math -Wno-pass-failed -fno-profile-arcs -fno-test-coverage -fPIC
ifneq (,$(findstring x86_64,$(shell $(CC) -dumpmachine)))
FLAGS_avx2 := -mavx2 -mfma
FLAGS_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
endif
FLAGS_peak := -O3 -ffp-contract=fast
FLAGS_page := -I$(BUILD)

# Stamps let make see a change of compiler or flags. Objects depend on $(BUILD)/compiled_with, and
# programs on $(BUILD)/linked_with. Each file holds the value that the variable of its name had when
# it was written, and is written again if that has changed. The recipe takes the value from its
# environment, where quotes survive.
export compiled_with := $(CC) $(shell $(CC) --version 2>/dev/null | head -n 1) $(ALL_CPPFLAGS) \
    $(ALL_CFLAGS) $(foreach flags,$(sort $(filter FLAGS_%,$(.VARIABLES))),$(flags)=$($(flags)))
export linked_with := $(LDFLAGS) $(LDLIBS)
ifneq ($(compiled_with),$(shell cat $(BUILD)/compiled_with 2>/dev/null))
$(BUILD)/compiled_with: FORCE
endif
ifneq ($(linked_with),$(shell cat $(BUILD)/linked_with 2>/dev/null))
$(BUILD)/linked_with: FORCE
endif
$(BUILD)/compiled_with $(BUILD)/linked_with:
	@mkdir -p $(@D)
	@printf '%s\n' "$$$(@F)" >$@

# Fail at once where there is no Criterion, not after compiling all but the tests.
ifneq (,$(filter test coverage %/run-tests,$(MAKECMDGOALS)))
ifneq (,$(shell $(CC) $(CPPFLAGS) $(CFLAGS) -include criterion/criterion.h -E -x c /dev/null \
    >/dev/null 2>&1 || echo missing))
$(error $(CC) does not find criterion/criterion.h; the tests need Criterion: libcriterion-dev \
    (Debian, Ubuntu), criterion (Arch, FreeBSD, Homebrew) or the source, \
    github.com/Snaipe/Criterion; if it is installed elsewhere, give CPPFLAGS=-IDIR LDFLAGS=-LDIR)
endif
endif

# The floors, top first: the order in which archives are linked, and the only way includes may go.
FLOORS := models data optim nn autograd tensor
sources = $(wildcard $(1)/*.c $(1)/kernels/*.c)
objects = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))
ARCHIVES := $(patsubst %,$(BUILD)/lib%.a,$(FLOORS))

CLI_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard models/cli/*.c))
CLI_PARTS := $(filter-out %/main.o,$(CLI_OBJECTS)) # for the tests, which have a main of their own
TEST_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*.c))
BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c))

# ./ncf may be the program of another BUILD, and newer.
ncf: $(BUILD)/ncf FORCE
	@cmp -s $< $@ || cp $< $@

# How all programs are linked; what each consists of stands with its target.
PROGRAMS := $(addprefix $(BUILD)/,ncf run-tests write-large gradcheck-report exercise run-bench \
    run-models)
LIBS_run-tests := -lcriterion
link = $(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)
$(PROGRAMS): $(BUILD)/linked_with
	$(link) $(LIBS_$(@F)) $(LDLIBS)
$(BUILD)/ncf: $(CLI_OBJECTS) $(ARCHIVES)

lib: $(ARCHIVES)
define archive
$(BUILD)/lib$(1).a: $(call objects,$(1))
	$$(call say,AR  )rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach floor,$(FLOORS),$(eval $(call archive,$(floor))))

compile = $(call say,CC  )$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) \
    $(FLAGS_$(notdir $(*D))) $(FLAGS_$(*F)) -c -o $@ $<
$(BUILD)/%.o: %.c $(BUILD)/compiled_with
	@mkdir -p $(@D)
	$(compile)
$(BUILD)/pic/%.o: %.c $(BUILD)/compiled_with # for the shared library
	@mkdir -p $(@D)
	$(compile) -fPIC

# The report page's style and script, each an array of lines that ends with NULL.
$(BUILD)/models/cli/page_text.h: models/cli/page.css models/cli/page.js
	@mkdir -p $(@D)
	$(call say,GEN )for f in css js; do \
	    echo "static const char *const page_$$f[] = {"; \
	    sed 's/[\\"?]/\\&/g; s/.*/    "&\\n",/' models/cli/page.$$f; \
	    echo "    0};"; done >$@
$(BUILD)/models/cli/page.o: $(BUILD)/models/cli/page_text.h

$(BUILD)/run-tests: $(TEST_OBJECTS) $(CLI_PARTS) $(ARCHIVES)
test: $(BUILD)/run-tests $(BUILD)/write-large $(BUILD)/ncf $(BUILD)/exercise floors
	@sh tests/run.sh $(BUILD)
	@CC="$(CC)" CFLAGS="$(ALL_CFLAGS)" sh tests/exercise.sh $(BUILD)
	@CC="$(CC)" CFLAGS="$(ALL_CFLAGS)" sh tests/listings.sh $(BUILD)
ifndef SANITIZE
	@CC="$(CC)" MAKE="$(MAKE)" sh tests/install.sh $(BUILD)
	@CC="$(CC)" MAKE="$(MAKE)" sh tests/rebuild.sh
	@sh tests/report.sh $(BUILD)
	@CC="$(CC)" MAKE="$(MAKE)" sh tests/shell_listings.sh $(BUILD)
endif

# PyTorch as judge, through the shared library. Debian's python3-torch belongs to Debian's Python.
PYTHON ?= /usr/bin/python3
SECONDS ?= 60
SEED ?= 1
with_torch = @$(PYTHON) -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("torch"))' || \
    { echo "$(PYTHON) has no module torch (Debian: python3-torch; or set PYTHON)" >&2; exit 1; }
test-torch: $(BUILD)/libtapegrad.so
	$(with_torch)
	@TAPEGRAD=$< $(PYTHON) tests/torch/opinfo.py
fuzz-torch: $(BUILD)/libtapegrad.so
	$(with_torch)
	@TAPEGRAD=$< $(PYTHON) tests/torch/fuzz.py --seconds $(SECONDS) --seed $(SEED)

coverage:
	@MAKE="$(MAKE)" sh tests/covered.sh $(BUILD)/coverage

$(BUILD)/write-large: $(BUILD)/tests/pictures/write_large.o $(BUILD)/tests/picture_samples.o \
                        $(CLI_PARTS) $(ARCHIVES)

$(BUILD)/gradcheck-report: $(BUILD)/tests/gradcheck/gradcheck_report.o $(BUILD)/tests/op_samples.o \
                           $(BUILD)/tests/model_samples.o $(ARCHIVES)
gradcheck: $(BUILD)/gradcheck-report
	@$<

EXERCISE_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard models/exercise/*.c))
$(BUILD)/exercise: $(EXERCISE_OBJECTS) $(ARCHIVES)
exercise: $(BUILD)/exercise
	@$<

$(BUILD)/run-bench: $(BENCH_OBJECTS) $(ARCHIVES)
bench: $(BUILD)/run-bench
	@$<
bench-compare: $(BUILD)/run-bench
	@sh bench/compare.sh $<
bench-ops: $(BUILD)/run-bench
	@$(firstword $(PYTHON)) bench/ops.py --bench $< --python "$(PYTHON)" --ops "$(OPS)" \
	    --sizes "$(SIZES)" $(if $(QUICK),--quick)
$(BUILD)/run-models: $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/models/*.c)) \
                     $(BUILD)/bench/peak.o $(ARCHIVES)
bench-models: $(BUILD)/run-models
	@$(firstword $(PYTHON)) bench/models.py --bench $< --python "$(PYTHON)" --models "$(MODELS)" \
	    $(if $(QUICK),--quick)
bench-instructions: $(BUILD)/run-bench
	@CC="$(CC)" sh bench/instructions.sh $<

# One library of all floors but the models; the shared one exports tg_ names alone.
LIBRARY_FLOORS := $(filter-out models,$(FLOORS))
LIBRARY_OBJECTS := $(foreach floor,$(LIBRARY_FLOORS),$(call objects,$(floor)))
LIBRARY_HEADERS := tapegrad.h tensor/elementwise.def \
                   $(filter-out %-internal.h,$(wildcard $(LIBRARY_FLOORS:=/*.h)))
VERSION := $(shell sed -n 's/.*TG_VERSION "\(.*\)"/\1/p' tapegrad.h)
SONAME := libtapegrad.so.$(firstword $(subst ., ,$(VERSION)))

$(BUILD)/libtapegrad.a: $(LIBRARY_OBJECTS)
	$(call say,AR  )rm -f $@ && ar rcs $@ $^
KERNEL_OBJECTS := $(filter $(BUILD)/tensor/kernels/%,$(LIBRARY_OBJECTS))
PIC_OBJECTS := $(KERNEL_OBJECTS) $(patsubst $(BUILD)/%,$(BUILD)/pic/%,$(filter-out \
                   $(KERNEL_OBJECTS),$(LIBRARY_OBJECTS)))
$(BUILD)/libtapegrad.so: $(PIC_OBJECTS) $(BUILD)/linked_with
	@echo '{ global: tg_*; local: *; };' >$(BUILD)/exports
	$(link) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,$(BUILD)/exports $(LDLIBS)

PREFIX ?= /usr/local
TO = $(DESTDIR)$(PREFIX)
INSTALLED_HEADERS := $(addprefix include/tapegrad/,$(LIBRARY_HEADERS))
INSTALLED := bin/ncf lib/libtapegrad.a lib/libtapegrad.so lib/$(SONAME) \
             lib/libtapegrad.so.$(VERSION) lib/pkgconfig/tapegrad.pc $(INSTALLED_HEADERS)

install: $(BUILD)/ncf $(BUILD)/libtapegrad.a $(BUILD)/libtapegrad.so
	mkdir -p "$(TO)/bin" "$(TO)/lib/pkgconfig"
	for h in $(LIBRARY_HEADERS); do install -D -m 644 $$h "$(TO)/include/tapegrad/$$h" || exit 1; done
	install -m 755 $(BUILD)/ncf "$(TO)/bin"
	install -m 644 $(BUILD)/libtapegrad.a "$(TO)/lib"
	install -m 755 $(BUILD)/libtapegrad.so "$(TO)/lib/libtapegrad.so.$(VERSION)"
	ln -sf libtapegrad.so.$(VERSION) "$(TO)/lib/$(SONAME)"
	ln -sf $(SONAME) "$(TO)/lib/libtapegrad.so"
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: tapegrad' 'Version: $(VERSION)' \
	    'Description: tensors with automatic differentiation' \
	    'Cflags: -I"$${prefix}/include/tapegrad"' 'Libs: -L"$${prefix}/lib" -ltapegrad' \
	    'Libs.private: -lm -pthread' >"$(TO)/lib/pkgconfig/tapegrad.pc"

# rmdir removes nothing but empty folders; with -p, include/tapegrad itself once it is empty.
uninstall:
	cd "$(TO)" && rm -f $(INSTALLED)
	cd "$(TO)/include" && rmdir -p $(sort $(dir $(INSTALLED_HEADERS:include/%=%))) 2>/dev/null || true

ml-100k:
	sh data/fetch-ml-100k.sh

# An include may only name its own folder or one further right in this list.
floors:
	@sh tests/floors.sh

size:
	@for d in $(FLOORS) tests bench; do \
	    printf '%-10s %6d lines\n' $$d $$(find $$d -name '*.[ch]' -o -name '*.def' -o -name '*.inc' | xargs cat | wc -l); done

clean:
	rm -rf $(BUILD) ncf

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
