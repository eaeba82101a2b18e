// One shell, in clip space.
uniform mat4 u_world_to_clip;

in vec3 in_position;
in vec2 in_uv;

out vec3 v_position;
out vec2 v_uv;

invariant gl_Position;

void main() {
    v_position = in_position;
    v_uv = in_uv;
    gl_Position = u_world_to_clip * vec4(in_position, 1.0);
}
