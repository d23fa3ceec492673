# tapegrad: `make ncf` builds the program, `make test` runs the tests (they need Criterion).
#
#   make ncf                the program ./ncf
#   make lib                build/lib*.a, one archive a folder
#   make test               all tests; SANITIZE=1 with AddressSanitizer and UBSan
#   make coverage           fail where an error line is reached by no test (gcov)
#   make exercise           check models/exercise/my_simplecf.c, which is yours to write
#   make gradcheck          the worst error of every op's and model's gradients
#   make install            library, headers and pkg-config file under PREFIX [/usr/local]
#   make bench              speed on this machine
#   make bench-compare      the same job in PyTorch, run in turn (needs python3-torch)
#   make bench-instructions fail where fixed work takes more instructions than recorded (valgrind)
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
CLI_PARTS := $(filter-out %/main.o,$(CLI_OBJECTS)) # for the tests, which have a main of their own
TEST_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*.c))
BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c))

.PHONY: all lib install test coverage exercise gradcheck bench bench-compare bench-instructions \
        ml-100k size floors clean
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

# The report page's style and script, each an array of lines that ends with NULL.
$(BUILD)/models/cli/page_text.h: models/cli/page.css models/cli/page.js
	@mkdir -p $(@D)
	$(call say,GEN )for f in css js; do \
	    echo "static const char *const page_$$f[] = {"; \
	    sed 's/[\\"?]/\\&/g; s/.*/    "&\\n",/' models/cli/page.$$f; \
	    echo "    0};"; done >$@
$(BUILD)/models/cli/page.o: $(BUILD)/models/cli/page_text.h
FLAGS_page := -I$(BUILD)

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

$(BUILD)/run-tests: $(TEST_OBJECTS) $(CLI_PARTS) $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcriterion $(LDLIBS)
test: $(BUILD)/run-tests $(BUILD)/write-large $(BUILD)/ncf $(BUILD)/exercise floors
	@sh tests/run.sh $(BUILD)
	@CC="$(CC)" CFLAGS="$(ALL_CFLAGS)" sh tests/exercise.sh $(BUILD)
	@CC="$(CC)" CFLAGS="$(ALL_CFLAGS)" sh tests/listings.sh $(BUILD)
ifndef SANITIZE
	@CC="$(CC)" MAKE="$(MAKE)" sh tests/install.sh $(BUILD)
	@sh tests/report.sh $(BUILD)
	@CC="$(CC)" MAKE="$(MAKE)" sh tests/shell_listings.sh $(BUILD)
endif

coverage:
	@MAKE="$(MAKE)" sh tests/covered.sh $(BUILD)/coverage

$(BUILD)/write-large: $(BUILD)/tests/pictures/write_large.o $(BUILD)/tests/picture_samples.o \
                        $(CLI_PARTS) $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/gradcheck-report: $(BUILD)/tests/gradcheck/gradcheck_report.o $(BUILD)/tests/op_samples.o \
                           $(BUILD)/tests/model_samples.o $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
gradcheck: $(BUILD)/gradcheck-report
	@$<

EXERCISE_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard models/exercise/*.c))
$(BUILD)/exercise: $(EXERCISE_OBJECTS) $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
exercise: $(BUILD)/exercise
	@$<

$(BUILD)/run-bench: $(BENCH_OBJECTS) $(ARCHIVES)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
bench: $(BUILD)/run-bench
	@$<
bench-compare: $(BUILD)/run-bench
	@sh bench/compare.sh $<
bench-instructions: $(BUILD)/run-bench
	@CC="$(CC)" sh bench/instructions.sh $<

# One library of all floors but the models; the shared one exports tg_ names alone.
LIBRARY_FLOORS := $(filter-out models,$(FLOORS))
LIBRARY_OBJECTS := $(foreach floor,$(LIBRARY_FLOORS),$(call objects,$(floor)))
LIBRARY_HEADERS := tapegrad.h tensor/elementwise.def \
                   $(filter-out %-internal.h,$(wildcard $(LIBRARY_FLOORS:=/*.h)))
VERSION := $(shell sed -n 's/.*TG_VERSION "\(.*\)"/\1/p' tapegrad.h)
SONAME := libtapegrad.so.$(firstword $(subst ., ,$(VERSION)))
PREFIX ?= /usr/local
TO = $(DESTDIR)$(PREFIX)

$(BUILD)/libtapegrad.a: $(LIBRARY_OBJECTS)
	$(call say,AR  )rm -f $@ && ar rcs $@ $^
$(BUILD)/libtapegrad.so: $(LIBRARY_OBJECTS)
	@echo '{ global: tg_*; local: *; };' >$(BUILD)/exports
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) \
	    -Wl,--version-script,$(BUILD)/exports -o $@ $^ $(LDLIBS)

install: $(BUILD)/libtapegrad.a
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/pic CFLAGS='$(CFLAGS) -fPIC' $(BUILD)/pic/libtapegrad.so
	mkdir -p $(TO)/lib/pkgconfig
	for h in $(LIBRARY_HEADERS); do install -D -m 644 $$h $(TO)/include/tapegrad/$$h || exit 1; done
	install -m 644 $(BUILD)/libtapegrad.a $(TO)/lib
	install -m 755 $(BUILD)/pic/libtapegrad.so $(TO)/lib/libtapegrad.so.$(VERSION)
	ln -sf libtapegrad.so.$(VERSION) $(TO)/lib/$(SONAME)
	ln -sf $(SONAME) $(TO)/lib/libtapegrad.so
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: tapegrad' 'Version: $(VERSION)' \
	    'Description: tensors with automatic differentiation' \
	    'Cflags: -I$${prefix}/include/tapegrad' 'Libs: -L$${prefix}/lib -ltapegrad' \
	    'Libs.private: -lm -pthread' >$(TO)/lib/pkgconfig/tapegrad.pc

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
