# llm-limiters. `make help` tells the targets.
# Settings: CC, OPT, PREFIX, LIBDIR, DESTDIR, SAN=address,undefined or SAN=thread (a build of its own), WERROR= to go on
# past warnings; LUA=5.1, 5.2, 5.3, 5.4 or luajit, which the rock is for.

VERSION  := 0.1.0
SOVERSION := 0
PREFIX   ?= /usr/local
LIBDIR   ?= $(PREFIX)/lib
# What is removed at uninstall is named by these: a blank would name something else.
ifneq ($(words $(PREFIX) $(LIBDIR) x$(DESTDIR)),3)
$(error PREFIX, LIBDIR and DESTDIR must be one path each, without blanks)
endif
ifneq ($(filter-out /%,$(PREFIX) $(LIBDIR)),)
$(error PREFIX and LIBDIR must be absolute paths; DESTDIR may go before them)
endif
SAN      ?=
WERROR   ?= -Werror
BUILD    ?= build$(if $(SAN),/$(subst $(comma),-,$(SAN)))
comma    := ,

# The library carries Lua 5.4. The rock is for one VM, whose name is that of its program and package too; whoever knows the
# program alone gives it as LUA_PROGRAM, with LUA_CFLAGS.
LUAS     := 5.1 5.2 5.3 5.4 luajit
LUA      ?= $(if $(LUA_PROGRAM),$(shell $(LUA_PROGRAM) -e 'print(jit and "luajit" or _VERSION:match "[%d.]+")'),5.4)
ifneq ($(words $(LUA) $(filter-out $(LUAS),$(LUA))),1)
$(error LUA must be one of $(LUAS), not "$(LUA)")
endif
VM       := $(patsubst 5.%,lua5.%,$(LUA))
LUA_PROGRAM ?= $(VM)
LUA_CFLAGS := $(shell pkg-config --cflags $(VM) 2>/dev/null)
LUA54_CFLAGS := $(shell pkg-config --cflags lua5.4 2>/dev/null)
LUA54_LIBS := $(shell pkg-config --libs lua5.4 2>/dev/null)
OPT      ?= -O2
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wwrite-strings
CFLAGS   := -std=c11 -D_GNU_SOURCE $(OPT) -g $(WARN) $(WERROR) -fvisibility=hidden -fPIC -pthread -MMD -MP \
            $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
LDFLAGS  := -pthread $(if $(SAN),-fsanitize=$(SAN)) -Wl,--as-needed

# Rooms, from the ground up. A room sees the public headers, itself and what is below it: `make check` proves it.
ROOM = $(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/$(1)/*.c))
CORE := $(call ROOM,base) $(call ROOM,engine) $(call ROOM,provider)
HOST := $(call ROOM,policy) $(call ROOM,host) $(BUILD)/policy/builtin.o
CLI  := $(call ROOM,cli)

# The kernel; init.lua, openresty.lua and their folders are for Lua programs.
KERNEL   := $(filter-out %/init.lua %/openresty.lua,$(sort $(wildcard bindings/lua/llm_limiters/*.lua)))
POLICIES := $(sort $(wildcard policies/*.lua policies/quotas/*/*.lua))

LIB_CORE := $(BUILD)/libllm_limiters_core
LIB      := $(BUILD)/libllm_limiters
BIN      := $(BUILD)/llm-limiters

.PHONY: all rock rocks declarations install-rock demo test c-tests fuzz interleave examples gateway docs check bench install uninstall deps deps-luas deps-test format clean help
all: $(LIB_CORE).a $(LIB_CORE).so $(LIB).a $(LIB).so $(BIN)

help:
	@echo "make demo     install what is missing, build, and simulate 10,000 requests against three free models"
	@echo "make test     install what is missing, build, and run every test and check"
	@echo "make rock     the native module for Lua $(LUA), in $(BUILD)/$(VM); LUA=5.1, 5.2, 5.3, 5.4 or luajit; make rocks for all"
	@echo "make docs     pages on the Lua API, in build/docs"
	@echo "make examples build and run every example"
	@echo "make gateway  run the gateway of examples/openresty"
	@echo "make interleave  hunt for schedules that break the engine"
	@echo "make fuzz     every parser against hostile bytes, LLIM_FUZZ_SECONDS each"
	@echo "make bench    cost of decisions, as ratios to the cheapest exact one"
	@echo "make install  PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make check    exported symbols, rooms, headers, formatting, luacheck"

# What is needed to build and run, in every Lua, and to test, as Debian's packages.
DEPS      := gcc libc6-dev make pkg-config lua5.4 liblua5.4-dev libcjson-dev tzdata
DEPS_DOCS := lua5.4 lua-ldoc
DEPS_LUAS := $(DEPS) lua5.1 liblua5.1-0-dev lua5.2 liblua5.2-dev lua5.3 liblua5.3-dev luajit2 libluajit2-5.1-dev
DEPS_TEST := $(DEPS_LUAS) $(DEPS_DOCS) libcmocka-dev lua-busted lua-check lua-cqueues lua-luv python3-prometheus-client locales \
             clang clang-format libclang-rt-14-dev nginx libnginx-mod-http-lua lua-cjson curl nodejs procps
SDK       := openai@6.49.0
MISSING    = $(shell for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' installed' || echo $$p; done)
SUDO      := $(if $(filter 0,$(shell id -u)),,sudo)
INSTALL_MISSING = m="$(call MISSING,$(1))"; [ -z "$$m" ] || { echo "installing $$m"; $(SUDO) apt-get update -qq && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$m >/dev/null; }
deps:
	@$(call INSTALL_MISSING,$(DEPS))
deps-luas:
	@$(call INSTALL_MISSING,$(DEPS_LUAS))
deps-test:
	@$(call INSTALL_MISSING,$(DEPS_TEST))
	@[ -d build/node/node_modules/openai ] || ! command -v npm >/dev/null || \
	  npm install --prefix build/node --no-audit --no-fund --silent --ignore-scripts --fetch-retries=0 --fetch-timeout=20000 $(SDK) || echo "the specs with OpenAI's SDK will be skipped"

# The second make is a new one because pkg-config may have come only now.
demo: deps
	@$(MAKE) --no-print-directory -s all
	@$(BIN) generate --requests 10000 --out $(BUILD)/demo.csv
	@$(BIN) simulate $(BUILD)/demo.csv --tier free --models gemini-2.5-flash,gpt-4o-mini,gemini-2.0-flash

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -Isrc $(LUA54_CFLAGS) -c $< -o $@

# The Lua kernel, the quota tables and the policies are part of the library.
$(BUILD)/policy/builtin.c: src/policy/embed.lua $(KERNEL) $(POLICIES)
	@mkdir -p $(@D)
	$(LUA_PROGRAM) src/policy/embed.lua $(KERNEL) $(POLICIES) > $@.new && mv $@.new $@
$(BUILD)/policy/builtin.o: $(BUILD)/policy/builtin.c
	$(CC) $(CFLAGS) -Iinclude -Isrc -c $< -o $@

$(LIB_CORE).a: $(CORE)
$(LIB).a: $(CORE) $(HOST)
%.a:
	rm -f $@ && $(AR) rcs $@ $^
$(LIB_CORE).so: $(CORE)
	$(CC) -shared -Wl,-soname,$(@F).$(SOVERSION) -Wl,-z,nodelete $^ $(LDFLAGS) -lcjson -o $@
$(LIB).so: $(CORE) $(HOST)
	$(CC) -shared -Wl,-soname,$(@F).$(SOVERSION) $^ $(LDFLAGS) $(LUA54_LIBS) -lcjson -lm -o $@
$(BIN): $(CLI) $(LIB).a
	$(CC) $^ $(LDFLAGS) $(LUA54_LIBS) -lcjson -lm -o $@

# The native module of a Lua host: the library's objects, but for those whose place guest.c takes, and for those that see Lua,
# which are compiled for that VM. It links no Lua. It is never unloaded: LuaJIT finalizes what finalizers have made after it has
# unloaded its modules.
ROCK   := $(BUILD)/$(VM)/llm_limiters/native.so
NATIVE := $(patsubst bindings/lua/native/%.c,$(BUILD)/$(VM)/%.o,$(wildcard bindings/lua/native/*.c))
SEES_LUA := $(filter-out $(patsubst %,policy/%.o,state kernel budget heap),$(patsubst src/%.c,%.o,$(wildcard src/policy/*.c))) \
            host/trial.o
$(BUILD)/$(VM)/%.o: bindings/lua/native/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -Isrc -Ibindings/lua/native $(LUA_CFLAGS) -c $< -o $@
$(BUILD)/$(VM)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -Isrc $(LUA_CFLAGS) -c $< -o $@
$(ROCK): $(CORE) $(filter-out %/trial.o,$(call ROOM,host)) $(BUILD)/policy/builtin.o $(SEES_LUA:%=$(BUILD)/$(VM)/%) $(NATIVE) \
         bindings/lua/native/exports.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-z,nodelete -Wl,-Bsymbolic -Wl,--version-script=bindings/lua/native/exports.map $(filter %.o,$^) $(LDFLAGS) -lcjson -lm -o $@
rock: $(ROCK)
# What LuaJIT's FFI knows of the headers; kept beside the files that read it, and compared by tests/check.
DECLARE := bindings/lua/native/declare.lua include/llm_limiters_core.h include/llm_limiters.h bindings/lua/native/ffi.h
declarations:
	$(LUA_PROGRAM) $(DECLARE) > $(BUILD)/declarations.lua
	mv $(BUILD)/declarations.lua bindings/lua/llm_limiters/door/declarations.lua
rocks:
	@for lua in $(LUAS); do $(MAKE) --no-print-directory rock LUA=$$lua || exit 1; done

# For luarocks (llm-limiters-scm-1.rockspec), which says where Lua files and native modules go.
install-rock: rock
	install -d $(ROCK_LUA)/llm_limiters/door $(ROCK_LUA)/llm_limiters/openresty $(ROCK_LIB)/llm_limiters
	install -m 644 bindings/lua/llm_limiters/*.lua $(ROCK_LUA)/llm_limiters
	install -m 644 bindings/lua/llm_limiters/door/*.lua $(ROCK_LUA)/llm_limiters/door
	install -m 644 bindings/lua/llm_limiters/openresty/*.lua $(ROCK_LUA)/llm_limiters/openresty
	install -m 755 $(ROCK) $(ROCK_LIB)/llm_limiters

# The C library's side of the specs that compare it with the rock.
PARITY := $(BUILD)/tests/parity
$(PARITY): tests/rock/parity.c $(LIB).a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude $< $(LIB).a $(LDFLAGS) $(LUA54_LIBS) -lcjson -lm -o $@

# Tests: each C file is a program that speaks TAP; tests/run adds them all up.
C_TESTS  := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/test_*.c))
TEST_KIT := $(patsubst tests/c/%.c,$(BUILD)/tests/%.o,$(filter-out $(wildcard tests/c/test_*.c tests/c/fuzz_*.c),$(wildcard tests/c/*.c)))
.SECONDARY: $(C_TESTS:=.o)
$(BUILD)/tests/%.o: tests/c/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -Isrc -Itests/c -c $< -o $@
$(C_TESTS): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(TEST_KIT) $(filter-out $(BUILD)/cli/main.o,$(CLI)) $(LIB).a
	$(CC) $^ $(LDFLAGS) $(LUA54_LIBS) -lcmocka -lcjson -lm -o $@
c-tests: $(C_TESTS)

# The engine under a scheduler that interleaves, delays and kills its threads at every atomic operation. Each run takes other
# schedules; LLIM_SCHEDULES says how many.
INTER := $(patsubst src/%.c,$(BUILD)/interleave/%.o,$(wildcard src/base/*.c src/engine/*.c)) \
         $(patsubst tests/%.c,$(BUILD)/interleave/%.o,$(wildcard tests/interleave/*.c) tests/c/kit.c)
INTER_CC = @mkdir -p $(@D); $(CC) $(CFLAGS) -Itests/interleave -Iinclude -Isrc -Itests/c -c $< -o $@
$(BUILD)/interleave/%.o: src/%.c
	$(INTER_CC)
$(BUILD)/interleave/%.o: tests/%.c
	$(INTER_CC)
$(BUILD)/test_interleaving: $(INTER)
	$(CC) $^ $(LDFLAGS) -lcmocka -o $@
interleave: deps-test
	@$(MAKE) --no-print-directory -s $(BUILD)/test_interleaving
	@$(BUILD)/test_interleaving

# Every libFuzzer entry under the sanitizers, for LLIM_FUZZ_SECONDS each.
FUZZ := $(patsubst tests/c/%.c,build/fuzz/%,$(wildcard tests/c/fuzz_*.c))
build/fuzz/%: tests/c/%.c $(wildcard src/base/*.[ch] src/engine/*.[ch] src/provider/*.[ch] include/*.h)
	@mkdir -p $(@D)
	clang -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude -Isrc \
	  $(filter %.c,$^) -lcjson -o $@
fuzz: deps-test
	@$(MAKE) --no-print-directory -s $(FUZZ)
	@tests/fuzz

# Everything once as it is shipped, the C tests again under the sanitizers, and a build by the other compiler.
test: deps-test
	@$(MAKE) --no-print-directory -s all rocks $(PARITY) c-tests $(BUILD)/test_interleaving $(FUZZ)
	@$(MAKE) --no-print-directory -s SAN=address,undefined rock c-tests
	@$(MAKE) --no-print-directory -s SAN=address,undefined LUA=5.1 rock
	@$(MAKE) --no-print-directory -s SAN=thread c-tests
	@tests/run

$(BUILD)/bench: $(wildcard tests/bench/*.[ch]) $(LIB).a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -Isrc $^ $(LDFLAGS) $(LUA54_LIBS) -lcjson -lm -o $@
$(BUILD)/floor.so: tests/bench/floor.c tests/bench/bench.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -shared $< $(LDFLAGS) -o $@
bench: deps-luas
	@$(MAKE) --no-print-directory -s $(BUILD)/bench $(BUILD)/floor.so rocks
	@$(BUILD)/bench
	@for vm in $(patsubst 5.%,lua5.%,$(LUAS)); do \
	  LUA_PATH='bindings/lua/?.lua;bindings/lua/?/init.lua;;' LUA_CPATH="$(BUILD)/$$vm/?.so;;" $$vm tests/bench/door.lua $(BUILD)/floor.so || exit 1; done

# Each example is a program of its own, built against the public headers and run.
LUA_HERE := LUA_PATH='bindings/lua/?.lua;bindings/lua/?/init.lua;;' LUA_CPATH='$(BUILD)/$(VM)/?.so;;'
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
$(BUILD)/examples/%: examples/%.c $(LIB).a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude $< $(LIB).a $(LDFLAGS) $(LUA54_LIBS) -lcjson -lm -o $@
examples: deps
	@$(MAKE) --no-print-directory -s rock $(EXAMPLES)
	@for e in $(EXAMPLES); do echo "== $$e"; $$e || exit 1; done
	@for e in examples/first.lua examples/agent/agent.lua; do echo "== $$e"; $(LUA_HERE) $(LUA_PROGRAM) $$e || exit 1; done

# The gateway of examples/openresty, with a stand-in for the providers, until Ctrl-C.
gateway:
	@$(call INSTALL_MISSING,$(DEPS_LUAS) nginx libnginx-mod-http-lua lua-cjson)
	@$(MAKE) --no-print-directory -s rock LUA=luajit
	@examples/openresty/run

# LDoc's pages, from the annotations for editors; a warning is an error.
docs:
	@$(call INSTALL_MISSING,$(DEPS_DOCS))
	@mkdir -p build/ldoc
	@$(LUA_PROGRAM) bindings/lua/docs/ldoc.lua bindings/lua/library/llm_limiters.lua > build/ldoc/llm_limiters.lua
	@ldoc --fatalwarnings --testing -c bindings/lua/docs/config.ld -d build/docs build/ldoc/llm_limiters.lua >/dev/null

C_FILES := $(wildcard include/*.h src/*/*.[ch] bindings/lua/native/*.[ch] tests/*/*.[ch] examples/*.c)
check: deps-test
	@$(MAKE) --no-print-directory -s all rocks
	@$(MAKE) --no-print-directory -s BUILD=build/clang CC=clang all rock
	@$(MAKE) --no-print-directory -s BUILD=build/clang CC=clang LUA=5.1 rock
	@CC="$(CC)" BUILD=$(BUILD) tests/check
format:
	clang-format -i $(C_FILES)

# pkg-config files are written at install, when the prefix is known.
define PC
prefix=$(PREFIX)
libdir=$(LIBDIR)
includedir=$(PREFIX)/include

Name: $(1)
Description: $(2)
Version: $(VERSION)
Libs: -L$${libdir} -l$(1)
Libs.private: -pthread -lm
Requires.private: $(3)
Cflags: -I$${includedir}
endef
export PC_CORE = $(call PC,llm_limiters_core,Exact rate limits and quotas: engine and answers,libcjson)
export PC_HOST = $(call PC,llm_limiters,Rate limits and quotas for calls to language models,lua5.4 libcjson)
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(LIBDIR)/pkgconfig \
	  $(DESTDIR)$(PREFIX)/share/llm-limiters
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/llm_limiters.h include/llm_limiters_core.h $(DESTDIR)$(PREFIX)/include
	for l in $(LIB) $(LIB_CORE); do b=$$(basename $$l); \
	  install -m 644 $$l.a $(DESTDIR)$(LIBDIR) && install -m 755 $$l.so $(DESTDIR)$(LIBDIR)/$$b.so.$(VERSION) && \
	  ln -sf $$b.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$$b.so.$(SOVERSION) && ln -sf $$b.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/$$b.so || exit 1; done
	printf '%s\n' "$$PC_CORE" > $(DESTDIR)$(LIBDIR)/pkgconfig/llm_limiters_core.pc
	printf '%s\n' "$$PC_HOST" > $(DESTDIR)$(LIBDIR)/pkgconfig/llm_limiters.pc
	cp -r policies/. bindings/lua/library $(DESTDIR)$(PREFIX)/share/llm-limiters/
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/llm-limiters $(DESTDIR)$(PREFIX)/share/llm-limiters
	rm -f $(DESTDIR)$(PREFIX)/include/llm_limiters*.h $(DESTDIR)$(LIBDIR)/libllm_limiters* $(DESTDIR)$(LIBDIR)/pkgconfig/llm_limiters*.pc

clean:
	rm -rf build

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/$(VM)/*/*.d $(BUILD)/interleave/*/*.d)
