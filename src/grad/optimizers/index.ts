// Door of grad/optimizers/: training steps, their options and their schedules.
export { optimize } from './optimize.ts'
export type {
  Adam,
  AverageOptions,
  Lars,
  OptimizeOptions,
  Optimizer,
  Sgd,
  SparseTable,
  WeightGroup,
} from './options.ts'
export { rateAt, type Schedule } from './schedules.ts'
