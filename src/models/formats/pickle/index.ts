export { readTorch } from './torch.ts'
