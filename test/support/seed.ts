/**
 * Loaded before the tests: properties are tried with the same random cases in every run, so that a run can be repeated.
 * `FAST_CHECK_SEED=random` explores others, and a number repeats those of that seed.
 */
import { configureGlobal } from 'fast-check'

const { FAST_CHECK_SEED: wanted = '20260701' } = process.env
if (wanted !== 'random') configureGlobal({ seed: Number(wanted) })
