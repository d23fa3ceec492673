# tapegrad: `make ncf` builds the program, `make test` runs the tests (they need Criterion).
#
#   make ncf                the program ./ncf
#   make lib                build/lib*.a, one archive a folder
#   make test               all tests; SANITIZE=1 with AddressSanitizer and UBSan
#   make gradcheck          the worst error of every op's and model's gradients
#   make bench              speed on this machine
#   make bench-compare      the same job in PyTorch, run in turn (needs python3-torch)
#   make ml-100k            fetch MovieLens 100K into ./ml-100k (needs a network)
#   make size               lines of code per folder

# V=1 shows the commands.
say = $(if $(V),,@echo "  $(1) $@";)
CFLAGS ?= -O2 -g
BUILD ?= build
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
ALL_CFLAGS = -std=c11 $(WARNINGS) -pthread $(CFLAGS)
ALL_CPPFLAGS = -I. -D_POSIX_C_SOURCE=200809L -MMD -MP $(CPPFLAGS)
LDLIBS := -lm -pthread

ifdef SANITIZE
BUILD := $(BUILD)/sanitize
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# The floors, top first: the order in which archives are linked, and the only way includes may go.
FLOORS := models data optim nn autograd tensor
sources = $(wildcard $(1)/*.c $(1)/kernels/*.c)
objects = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))
ARCHIVES := $(patsubst %,$(BUILD)/lib%.a,$(FLOORS))

CLI_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard models/cli/*.c))
TEST_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*.c))
BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c))

.PHONY: all lib test gradcheck bench bench-compare ml-100k size floors clean
.SECONDARY:
all: ncf

ncf: $(BUILD)/ncf
	@cp $< $@
$(BUILD)/ncf: $(CLI_OBJECTS) $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

lib: $(ARCHIVES)
define archive
$(BUILD)/lib$(1).a: $(call objects,$(1))
	$$(call say,AR  )rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach floor,$(FLOORS),$(eval $(call archive,$(floor))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC  )$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(FLAGS_$(notdir $*)) -c -o $@ $<

# Kernels: -std=c11 would forbid fused multiply-adds across operators; errno and floating-point traps
# would forbid vector sqrt and selects. No further relaxation: NaN and infinity keep their meaning.
# -Wno-pass-failed: clang would warn that loops which call libm stay scalar.
KERNEL_FLAGS := -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -Wno-pass-failed
$(BUILD)/tensor/kernels/%.o: ALL_CFLAGS += $(KERNEL_FLAGS)
ifneq (,$(findstring x86_64,$(shell $(CC) -dumpmachine)))
FLAGS_avx2 := -mavx2 -mfma
FLAGS_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
endif

FLAGS_peak := -O3 -ffp-contract=fast

$(BUILD)/run-tests: $(TEST_OBJECTS) $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcriterion $(LDLIBS)
test: $(BUILD)/run-tests $(BUILD)/ncf floors
	@sh tests/run.sh $(BUILD)
	@CC="$(CC)" CFLAGS="$(ALL_CFLAGS)" sh tests/readme.sh $(BUILD)

$(BUILD)/gradcheck-report: $(BUILD)/tests/gradcheck/report.o $(BUILD)/tests/op_samples.o $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
gradcheck: $(BUILD)/gradcheck-report
	@$<

$(BUILD)/run-bench: $(BENCH_OBJECTS) $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
bench: $(BUILD)/run-bench
	@$<
bench-compare: $(BUILD)/run-bench
	@sh bench/compare.sh $<

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
