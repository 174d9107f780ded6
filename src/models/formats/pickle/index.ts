// Door of pickle/: reading of what `torch.save` wrote.
export { readTorch } from './torch.ts'
