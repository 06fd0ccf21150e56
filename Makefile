# Each target's help is the text after its two hashes.
.DEFAULT_GOAL := help
.PHONY: help up down check test bench fuzz

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

up: ## build and start the edge and the servers on loopback; print where they are and how an agent connects
	@scripts/fleet up

down: ## stop what `make up` started
	@scripts/fleet down

check: ## formatting, lints, documentation, dependencies; runs no test
	@scripts/check

test: ## run every test on real systems, installing what is missing
	@tests/run

bench: ## measure side by side against peers
	@bench/run

fuzz: ## fuzz what comes from outside, each target for SECONDS (60)
	@fuzz/run $(or $(SECONDS),60)
