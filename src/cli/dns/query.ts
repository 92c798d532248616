export async function query(): Promise<number> {
  return 1;
}
