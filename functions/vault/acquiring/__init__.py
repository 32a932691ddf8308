"""Cards towards acquirers: who may not see a card number has it kept and charged here, by invocation only."""
