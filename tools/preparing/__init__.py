"""What the tools that prepare data sets share: plan, places, engine, verb."""
