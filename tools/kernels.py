"""Kernels that are started by a command and not by their name."""

from collections.abc import Sequence

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager


class OneKernel(KernelSpecManager):
    """Answers every request for a kernel with one Python.

    The specification that is installed as "python3" may start another environment's Python.

    Args:
        python: the interpreter, with ipykernel.
        launcher: a command to run it by, which takes its command line as arguments.
        interrupt_mode: ``"signal"`` or ``"message"``; see Jupyter's documentation.
    """

    def __init__(
        self, python: str, launcher: Sequence[str] = (), interrupt_mode: str = "signal"
    ) -> None:
        super().__init__()
        self.argv = [*launcher, python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.interrupt_mode = interrupt_mode

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=self.argv,
            display_name="Python 3 (ipykernel)",
            language="python",
            interrupt_mode=self.interrupt_mode,
        )
