"""The cloud provider `local`: instances and jobs are processes of this machine."""
